-- How a deployment was changed up to a moment, oldest first: what it was from then on stands in the details, as `after`.
select events.time, actor, action, details
from events
where events.object = :deployment and strpos(action, 'deployment.') = 1 and events.time < :end
order by events.time, id
