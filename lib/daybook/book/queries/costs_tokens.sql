-- The tokens of a window's priced calls: those with at most `most` input tokens added up, the larger ones one by one,
-- because a tiered price depends on the size of the single call.
with priced as (
    select
        input_tokens,
        coalesce(cached_tokens, 0) as cached_tokens,
        coalesce(output_tokens, 0) as output_tokens,
        coalesce(reasoning_tokens, 0) as reasoning_tokens,
        cost
    from calls
    where calls.time >= :start and calls.time < :end and cost is not null and input_tokens is not null
)
select
    count(*) as calls,
    total(input_tokens) as input_tokens,
    total(cached_tokens) as cached_tokens,
    total(output_tokens) as output_tokens,
    total(reasoning_tokens) as reasoning_tokens,
    sum(cost) as spend
from priced
where input_tokens <= :most
having count(*) > 0
union all
select 1, input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost
from priced
where input_tokens > :most
