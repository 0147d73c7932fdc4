-- Reviews of the API keys in the quarter before the window's end; ok: there is one.
select e.time as at, e.actor, (e.details ->> 'open') as open_keys, e.reason, true as ok
from events e
where e.time >= :quarter and e.time < :now and e.action = 'keys.reviewed'
order by e.time, e.id
