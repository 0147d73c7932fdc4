-- Who changed which deployment in the window; ok: a person or a rule is named, and a reason.
select d.time as at, d.name, d.revision, d.action, d.actor, d.reason, d.reason is not null as ok
from deployments d
where d.time >= :start and d.time < :end
order by d.time, d.id
