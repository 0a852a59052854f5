"""What may stand in the column `class` of the scores beside a class: an average, or a group of a metric.

An average is of all metrics of one class at a time; a group belongs to a metric of all classes together, which names
it (codeii.evaluation.metrics).
"""

AVERAGES = ("macro", "macro_frequent", "micro", "weighted")
GROUPS = ("F_AF", "F_Block", "F_PC", "F_ST", "all")
NO_CLASS = (*AVERAGES, *GROUPS)
