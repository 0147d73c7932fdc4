-- The requests of a deployment that a shadow answered too, by UTC day and the two versions: sums of the shadow's value
-- less the answer's, and of their squares. Latency and cost are of requests that both answered.
with copies as materialized (
    select request_id, variant, status, latency, cost
    from calls
    where endpoint = 'shadow' and status <> 'retried' and variant is not null and calls.time >= :start
),
pairs as (
    select
        answers.time,
        answers.variant as base,
        copies.variant as candidate,
        (case when copies.status = 'error' then 1 else 0 end)
        - (case when answers.status = 'error' or answers.fallback_from is not null then 1 else 0 end) as failed,
        answers.status = 'ok' and answers.fallback_from is null and copies.status = 'ok'
        and not coalesce(answers.cache_hit, false) and answers.latency > 0 and copies.latency > 0 as both_answered,
        case when answers.latency > 0 and copies.latency > 0 then ln(copies.latency) - ln(answers.latency) end as latency,
        cast(copies.cost as double precision) - cast(answers.cost as double precision) as cost,
        cast(answers.cost as double precision) as base_cost
    from copies
    inner join calls as answers on answers.request_id = copies.request_id
    where answers.endpoint <> 'shadow' and answers.status <> 'retried' and answers.requested_model = :deployment
        and answers.time >= :start and answers.time < :end and answers.variant is not null
)
select
    cast(utc(pairs.time) as date) as day,
    base,
    candidate,
    count(*) as requests,
    cast(sum(failed) as bigint) as failed,
    cast(sum(failed * failed) as bigint) as failed_squares,
    cast(sum(case when both_answered then 1 else 0 end) as bigint) as answered,
    sum(case when both_answered then latency else 0 end) as latency,
    sum(case when both_answered then latency * latency else 0 end) as latency_squares,
    cast(sum(case when both_answered and cost is null then 1 else 0 end) as bigint) as unpriced,
    sum(case when both_answered then coalesce(cost, 0) else 0 end) as cost,
    sum(case when both_answered then coalesce(cost * cost, 0) else 0 end) as cost_squares,
    sum(case when both_answered then coalesce(base_cost, 0) else 0 end) as base_cost
from pairs
group by 1, 2, 3
order by 1, 2, 3
