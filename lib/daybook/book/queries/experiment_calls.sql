-- The calls of a deployment in a window by UTC day and version: counts, and the sums that means and their intervals take.
-- A call failed where it ended in an error or another model answered it. Latency and cost are of answered calls, not out
-- of a cache; cost counts as known only where no price of them is missing, which `unpriced` says.
with answers as (
    select
        *,
        status = 'error' or fallback_from is not null as failed,
        status = 'ok' and fallback_from is null and not coalesce(cache_hit, false) and latency > 0 as answered
    from calls
    where calls.time >= :start and calls.time < :end and requested_model = :deployment and variant is not null
        and endpoint <> 'shadow' and status <> 'retried'
)
select
    cast(utc(answers.time) as date) as day,
    variant,
    count(*) as calls,
    count(distinct caller) as callers,
    cast(sum(case when failed then 1 else 0 end) as bigint) as failed,
    cast(sum(case when status = 'client_closed' then 1 else 0 end) as bigint) as closed,
    cast(sum(case when answered then 1 else 0 end) as bigint) as answered,
    sum(case when answered then ln(latency) else 0 end) as log_latency,
    sum(case when answered then ln(latency) * ln(latency) else 0 end) as log_latency_squares,
    cast(sum(case when answered and cost is null then 1 else 0 end) as bigint) as unpriced,
    sum(case when answered then cast(coalesce(cost, 0) as double precision) else 0 end) as cost,
    sum(case when answered then cast(coalesce(cost, 0) as double precision) * cast(coalesce(cost, 0) as double precision)
        else 0 end) as cost_squares
from answers
group by 1, 2
order by 1, 2
