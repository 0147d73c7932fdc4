-- How often latency and time to first token were measured in answered calls of a window, per model and for all.
-- Answers out of a cache are left out: they say nothing about a model.
with named as (
    select
        coalesce(case when fallback_from is null then requested_model end, served_model, '?') as name,
        provider,
        latency,
        first_token
    from calls
    where calls.time >= :start and calls.time < :end and status = 'ok' and not coalesce(cache_hit, false)
        and endpoint not in ('library', 'shadow')
),
answered as (
    select
        case when strpos(name, provider || '/') = 1 then name else coalesce(provider, '?') || '/' || name end as model,
        latency,
        first_token
    from named
),
measured as (
    select 'latency' as measure, model, latency as seconds from answered where latency is not null
    union all
    select 'latency' as measure, '' as model, latency as seconds from answered where latency is not null
    union all
    select 'first_token' as measure, model, first_token as seconds from answered where first_token is not null
    union all
    select 'first_token' as measure, '' as model, first_token as seconds from answered where first_token is not null
)
select measure, model, count(*) as n, min(seconds) as least, avg(seconds) as mean, max(seconds) as most
from measured
group by 1, 2
order by 1, 2
