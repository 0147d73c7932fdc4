-- The calls of a window with their cost, added up by UTC day, caller, project and model. `unpriced` says why a call has
-- no cost (the figures in a note, after its colon, are left out); it is null for those that have one.
select
    cast(utc(calls.time) as date) as day,
    caller,
    project,
    provider,
    coalesce(served_model, requested_model) as model,
    case
        when cost is not null then null
        when provider is null then 'no provider found'
        when input_tokens is null and status in ('error', 'retried') then 'failed before tokens were counted'
        when input_tokens is null or output_tokens is null then 'tokens not counted'
        else coalesce(split_part(price_note, ': ', 1), 'no rate known')
    end as unpriced,
    count(*) as calls,
    sum(cost) as spend,
    count(input_tokens) as counted,
    total(input_tokens) as input_tokens,
    total(cached_tokens) as cached_tokens,
    total(output_tokens) as output_tokens
from calls
where calls.time >= :start and calls.time < :end
group by 1, 2, 3, 4, 5, 6
order by 1, 2, 3, 4, 5, 6
