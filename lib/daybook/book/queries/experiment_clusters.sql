-- The calls of a deployment in a time by version, and how they lie in those that stick together (of one session, caller
-- or user): sums over the keys of squares and products of each key's own sums. Counts and values as in experiment_calls.
with answers as (
    select
        variant,
        coalesce(
            case cast(:sticky as text)
                when 'session' then (tags ->> 'session')
                when 'caller' then coalesce(key_id, caller)
                when 'user' then calls.subject
            end,
            request_id
        ) as key,
        case when status = 'error' or fallback_from is not null then 1 else 0 end as failed,
        case
            when status = 'ok' and fallback_from is null and not coalesce(cache_hit, false) and latency > 0 then 1
            else 0
        end as answered,
        case when latency > 0 then ln(latency) else 0 end as log_latency,
        cast(coalesce(cost, 0) as double precision) as cost
    from calls
    where calls.time >= :start and calls.time < :end and requested_model = :deployment and variant is not null
        and endpoint <> 'shadow' and status <> 'retried'
),
keys as (
    select
        variant,
        cast(count(*) as double precision) as calls,
        cast(sum(failed) as double precision) as failed,
        cast(sum(answered) as double precision) as answered,
        sum(answered * log_latency) as log_latency,
        sum(answered * cost) as cost
    from answers
    group by variant, key
)
select
    variant,
    count(*) as keys,
    cast(sum(case when answered > 0 then 1 else 0 end) as bigint) as answered_keys,
    sum(calls * calls) as calls_calls,
    sum(failed * failed) as failed_failed,
    sum(failed * calls) as failed_calls,
    sum(answered * answered) as answered_answered,
    sum(log_latency * log_latency) as log_latency_log_latency,
    sum(log_latency * answered) as log_latency_answered,
    sum(cost * cost) as cost_cost,
    sum(cost * answered) as cost_answered
from keys
group by variant
order by variant
