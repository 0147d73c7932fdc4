-- The calls that cost most.
select
    id, calls.time as time, caller, project, provider, coalesce(served_model, requested_model) as model,
    input_tokens, cached_tokens, output_tokens, cost, price_rate
from calls
where calls.time >= :start and calls.time < :end and cost > 0
order by cost desc, id
limit :most
