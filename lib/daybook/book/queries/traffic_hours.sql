-- The endpoint's calls between two moments, added up by model (as in traffic_calls) and, in the row where `everything`
-- is 1, for all. Attempts after which a request was asked again are no requests, but their cost counts. Latency is that
-- of answered calls that no cache answered; its quantiles are values that occurred.
with named as (
    select
        *, coalesce(case when fallback_from is null then requested_model end, served_model, '?') as name
    from calls
    where calls.time >= :start and calls.time < :end and endpoint not in ('library', 'import', 'shadow')
),
addressed as (
    select
        *,
        case
            when provider is null then ''
            when strpos(name, provider || '/') = 1 then name
            else provider || '/' || name
        end as model,
        case when status = 'ok' and not coalesce(cache_hit, false) then latency end as measured
    from named
)
select
    grouping(model) as everything,
    model,
    cast(sum(case when status <> 'retried' then 1 else 0 end) as bigint) as requests,
    cast(sum(case when status = 'ok' then 1 else 0 end) as bigint) as answered,
    cast(sum(case when status = 'error' then 1 else 0 end) as bigint) as failed,
    cast(sum(case when status = 'client_closed' then 1 else 0 end) as bigint) as closed,
    cast(sum(case when status = 'retried' then 1 else 0 end) as bigint) as retried,
    cast(sum(case when cache_hit then 1 else 0 end) as bigint) as cache_hits,
    count(measured) as timed,
    percentile_disc(0.5) within group (order by measured) as p50,
    percentile_disc(0.95) within group (order by measured) as p95,
    percentile_disc(0.99) within group (order by measured) as p99,
    total(input_tokens) as input_tokens,
    total(cached_tokens) as cached_tokens,
    total(output_tokens) as output_tokens,
    cast(sum(case when status = 'ok' and (input_tokens is null or output_tokens is null) then 1 else 0 end) as bigint)
        as uncounted,
    count(cost) as priced,
    sum(cost) as cost,
    cast(sum(case when cost is null and provider is not null then 1 else 0 end) as bigint) as unpriced
from addressed
where cast(:model as text) = '' or model = :model
group by grouping sets ((model), ())
order by everything desc, requests desc, model
