-- Promotions in the window; ok: in the 30 days before, an evaluation and a bias report had a verdict that was met.
with promotions as (
    select a.time as at, a.id, a.model || ' ' || a.alias as what, a.actor from model_aliases a
    where a.time >= :start and a.time < :end and a.version is not null
    union all
    select d.time as at, d.id, d.name as what, d.actor from deployments d
    where d.time >= :start and d.time < :end and d.action = 'promoted'),
verdicts as (
    select f.time, r.notebook, f.note from findings f join runs r on r.id = f.run_id
    where f.name = 'verdict' and r.notebook in ('evaluation', 'bias'))
select p.at, p.what, p.actor,
    exists (select 1 from verdicts v where v.notebook = 'evaluation' and strpos(v.note, 'met: ') = 1
        and v.time < p.at and v.time >= p.at - interval '30 days') as evaluation_met,
    exists (select 1 from verdicts v where v.notebook = 'bias' and strpos(v.note, 'met: ') = 1
        and v.time < p.at and v.time >= p.at - interval '30 days') as bias_met,
    exists (select 1 from verdicts v where v.notebook = 'evaluation' and strpos(v.note, 'met: ') = 1
        and v.time < p.at and v.time >= p.at - interval '30 days')
    and exists (select 1 from verdicts v where v.notebook = 'bias' and strpos(v.note, 'met: ') = 1
        and v.time < p.at and v.time >= p.at - interval '30 days') as ok
from promotions p
order by p.at, p.id
