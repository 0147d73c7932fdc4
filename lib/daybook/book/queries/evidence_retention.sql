-- Runs of the retention rules in the window; ok: they did not fail.
select e.time as at, e.action, e.actor, e.outcome, coalesce(e.outcome, '') <> 'failed' as ok
from events e
where e.time >= :start and e.time < :end and strpos(e.action, 'retention.') = 1
order by e.time, e.id
