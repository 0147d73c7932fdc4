-- What evaluations entered last about each contestant on each set of rows, newest first. The note of such a finding says
-- which rows, which scorer and the rows' digest: only what has the same note can be compared.
with ranked as (
    select
        name, value, low, high, n, note, time, run_id,
        row_number() over (partition by name, note order by time desc, id desc) as place
    from findings
    where strpos(name, 'quality/') = 1 and unit = 'share' and value is not null and strpos(note, ', sha256:') > 0
)
select substr(name, 9) as contestant, value, low, high, n, note, time, run_id
from ranked
where place = 1
order by time desc, note, contestant
