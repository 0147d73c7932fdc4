-- What answered in the window; ok: the version or the digest of the weights is known.
select coalesce(c.provider, '') as provider, coalesce(c.served_model, c.requested_model, '') as model,
    max(c.model_version) as version, max(c.weights_digest) as weights, count(*) as calls,
    count(*) = count(coalesce(c.weights_digest, c.model_version)) as ok
from calls c
where c.time >= :start and c.time < :end and c.status = 'ok' and not coalesce(c.cache_hit, false)
group by 1, 2
order by 1, 2
