-- The calls of a window, added up by UTC day and hour, caller, model and outcome.
-- A model is named by its provider and by what was asked for, because a failed call has no served model; after a
-- fallback by what served. What no provider was found for has no model, because any caller can ask for any name.
-- What Daybook's own library asked is not the endpoint's traffic (see traffic_library). Of an imported call only what its
-- trace holds is known: not whether others failed, nor whether it was streamed, retried or fell back.
with named as (
    select
        *, coalesce(case when fallback_from is null then requested_model end, served_model, '?') as name
    from calls
    where calls.time >= :start and calls.time < :end and endpoint not in ('library', 'shadow')
        and status <> 'retried'
)
select
    cast(utc(named.time) as date) as day,
    cast(extract(hour from utc(named.time)) as integer) as hour,
    caller,
    case
        when provider is null then null
        when strpos(name, provider || '/') = 1 then name
        else provider || '/' || name
    end as model,
    case when endpoint <> 'import' then status end as status,
    error_kind,
    case when endpoint <> 'import' then stream end as stream,
    count(*) as calls,
    cast(sum(case when endpoint = 'import' then null when fallback_from is null then 0 else 1 end) as bigint)
        as fallbacks,
    cast(sum(case when endpoint = 'import' then null when attempts > 1 then 1 else 0 end) as bigint) as retried,
    cast(sum(case when cache_hit then 1 else 0 end) as bigint) as cache_hits,
    count(truncated) as checked_for_truncation,
    cast(sum(case when truncated then 1 else 0 end) as bigint) as truncated,
    count(finish_reason) as finished,
    cast(sum(case when finish_reason = 'length' then 1 else 0 end) as bigint) as cut_off,
    count(input_tokens) as counted,
    cast(sum(case when usage_reported then 0 when input_tokens is null then 0 else 1 end) as bigint) as estimated,
    total(input_tokens) as input_tokens,
    total(cached_tokens) as cached_tokens,
    total(output_tokens) as output_tokens,
    total(reasoning_tokens) as reasoning_tokens
from named
group by 1, 2, 3, 4, 5, 6, 7
order by 1, 2, 3, 4, 5, 6, 7
