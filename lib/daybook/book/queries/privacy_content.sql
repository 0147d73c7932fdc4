-- What is kept of prompts and answers in a window, newest first, and how many calls there were: a call without content
-- holds nothing that could be found. Redacted rows too: they hold what stands for a datum.
select
    id,
    subject,
    prompt,
    answer,
    count(*) over () as kept
from calls
where calls.time >= :start and calls.time < :end and (prompt is not null or answer is not null)
order by calls.time desc, id desc
limit :most
