-- What the endpoint spent by UTC day, of calls whose price is known.
select cast(utc(calls.time) as date) as day, sum(cost) as cost
from calls
where calls.time >= :start and calls.time < :end and endpoint not in ('library', 'import') and cost is not null
group by 1
order by 1
