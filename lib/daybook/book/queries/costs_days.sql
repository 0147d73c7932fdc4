-- Spend per UTC day of calls that have a cost, and how many have none.
select
    cast(utc(calls.time) as date) as day,
    count(*) as calls,
    count(*) - count(cost) as unpriced,
    sum(cost) as spend
from calls
where calls.time >= :start and calls.time < :end
group by 1
order by 1
