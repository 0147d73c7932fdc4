-- By which rates the calls of a window were priced.
select
    provider, coalesce(served_model, requested_model) as model, price_source, price_rate,
    count(*) as calls, sum(cost) as spend, min(calls.time) as first, max(calls.time) as last
from calls
where calls.time >= :start and calls.time < :end and cost is not null
group by 1, 2, 3, 4
order by 1, 2, 7
