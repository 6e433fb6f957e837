from .cross_validation import LOGISTIC_GRID as LOGISTIC_GRID
from .cross_validation import RIDGE_GRID as RIDGE_GRID
from .cross_validation import PenaltyChoice as PenaltyChoice
from .logistic import LogisticProbe as LogisticProbe
from .ridge import RidgeProbe as RidgeProbe
