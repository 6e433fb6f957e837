from . import fairness as fairness
