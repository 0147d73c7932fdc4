-- Verifications of the trail since the window began; ok: chain, seals, rows and reports were proven.
select e.time as at, e.actor, (e.details ->> 'state') as state, (e.details ->> 'problems') as problems,
    (e.details ->> 'state') = 'proven' as ok
from events e
where e.time >= :start and e.time < :now and e.action = 'trail.verified'
order by e.time, e.id
