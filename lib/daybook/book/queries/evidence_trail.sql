-- What was entered in the window, by action; ok: every entry of it has its number in the chain.
select e.action, count(*) as entries, count(c.seq) as chained, count(*) = count(c.seq) as ok
from events e left join audit_chain c on c.event = e.id
where e.time >= :start and e.time < :end
group by e.action
order by e.action
