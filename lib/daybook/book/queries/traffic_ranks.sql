-- The order statistics asked for: of each measure and model the values at the ranks that `wanted` lists as
-- '|latency/openai/gpt-4o#12|latency/openai/gpt-4o#57|…'.
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
),
ranked as (
    select measure, model, seconds, row_number() over (partition by measure, model order by seconds) as position
    from measured
)
select measure, model, position, seconds
from ranked
where strpos(cast(:wanted as text), '|' || measure || '/' || model || '#' || cast(position as text) || '|') > 0
order by 1, 2, 3
