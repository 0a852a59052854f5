"""One file per source: puts synthetic exams on disk in the format that source is published in.

Each file offers `ABOUT` (what is written, for README.txt), `FAULTS` (what may be planted, `planted.SENTENCES`),
`record_name(exam_id)` (how the release names the exam) and
`write(exams, folder, faults, settings) -> list of files written`.
"""
