"""The gender table by svy 0.35, run by the Python of .venv-peers: svy is no dependency of ours.

python peer_svy.py respondents.parquet mean|prop folder   writes svy_estimates.parquet and svy_gaps.parquet there, prints seconds
and CPU seconds. ``mean`` is svy's fastest way, with Wald limits; ``prop`` gives the logit limits of the table.
"""

import sys
import time

import polars as pl
import svy


def table_of(people, mode, indicators, breakdowns):
    sample = svy.Sample(people, svy.Design(stratum="stratum", psu="psu", wgt="weight"))
    level = (1,) if mode == "prop" else ()
    shares, gaps = [], []
    for by in breakdowns:
        estimates = getattr(sample.estimation, mode)(indicators, by=by or None, deff="wor")
        cells = sorted({row[1:] for row in people.select(by).unique().rows()}) if by else []
        contrasts = {".".join(cell): svy.estd("F", *cell, *level) - svy.estd("M", *cell, *level) for cell in cells}
        for indicator, estimate in zip(indicators, estimates, strict=True):
            known = [pl.lit(indicator).alias("indicator"), pl.lit("*".join(by) or "total").alias("breakdown")]
            share = estimate.to_polars()
            if mode == "prop":
                share = share.filter(pl.col(indicator) == 1)
            cell = pl.concat_str(by, separator=".") if by else pl.lit("all")
            shares.append(share.select(*known, cell.alias("cell"), value="est", se="se"))
            if by:
                gap = estimate.contrast(contrasts).to_polars()
                gaps.append(gap.select(*known, cell=pl.col("contrast").cast(pl.String), gap="est", se="se"))
    return pl.concat(shares), pl.concat(gaps)


def main():
    path, mode, folder = sys.argv[1:]
    people = pl.read_parquet(path)
    indicators = [name for name in people.columns if name[0] == "i" and name[1:].isdigit()]
    fixed = {"survey_id", "respondent_id", "stratum", "psu", "weight", "sex", *indicators}
    breakdowns = [[], ["sex"], *(["sex", name] for name in people.columns if name not in fixed)]
    surveys = people.partition_by("survey_id", as_dict=True)
    table_of(next(iter(surveys.values())).head(2000), mode, indicators[:1], breakdowns[:2])  # the first call is slower than others
    start, start_cpu = time.perf_counter(), time.process_time()
    tables = {survey: table_of(rows, mode, indicators, breakdowns) for (survey,), rows in surveys.items()}
    print(time.perf_counter() - start, time.process_time() - start_cpu)
    for part, name in enumerate(("estimates", "gaps")):
        named = [table[part].with_columns(survey_id=pl.lit(survey)) for survey, table in tables.items()]
        pl.concat(named).write_parquet(f"{folder}/svy_{name}.parquet")


if __name__ == "__main__":
    main()
