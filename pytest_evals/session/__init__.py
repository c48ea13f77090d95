"""A run without a host: from datasets to verdicts. Knows neither pytest nor the command line.

===================  ===============================================================
`state`              SessionState: settings, registry, run id, redactor, worker share
`observers`          TrialObserver: receives each recorded trial
`plan`               Plan: datasets -> matrices of trials
`shards`             the cases that one of several sessions runs
`recorded_run`       the stored answers that ``--evals-from`` scores again
`dataset_source`     DatasetSource: a dataset named or made in Python code
`source_loader`      SourceLoader: DatasetSource -> Dataset
`sanity`             the null-answer check: wrong answers that must fail
`extensions`         what plugins add: stores, reporters, notes, report sections
`redaction`          makes the redactor
`resume`             ResumeMark: under which answers of user code may be reused
`checkout`           what git says of the code under test
`stores`             Stores: run store, stored answers, cassette
`engines`            Engines: of the planned trials, and of confirmation
`ledger`             Ledger: planned, recorded, crashed -> a sealed Run; no I/O
`writer`             TrialWriter: writes trials in batches, on a thread
`recording`          RunRecorder: ledger, observers and run store of one run
`tables`             TrialTables: trials in the form that metrics and gates read
`dataset_baseline`   DatasetBaseline: what one dataset is compared with
`baselines`          Baselines: those of all datasets; which failures a gate tolerates
`read_baseline`      finds, reads and updates one dataset's baseline
`confirmation`       Confirmer: runs cases that look broken again
`judge_summary`      corrected pass rates and confusion matrices
`evaluation`         RunEvaluation: the evaluations of all datasets
`verdicts`           the one place where a run gets its verdict
`reports`            Reports: writes the reports
`session`            Session: the parts above, made and connected
`run`                run, arun and load_run: a session in a script
`derived_run`        DerivedRun: a run made of stored answers or of other runs
`rescore_plan`       the trials of a stored run that can be scored again
`rescoring`          Rescoring: scores the stored answers of a run again
`merging`            the shards of one run, merged
`failure_text`       the text of a failed trial, and the command that reruns it
`run_diff`           RunDiff: what changed between a baseline and a stored run
`stored_report`      StoredRuns: a stored run as a report
===================  ===============================================================
"""
