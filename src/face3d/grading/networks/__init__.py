"""Networks that grade an exam. Each takes what `batch_of` makes and says `Outputs`; exchanging the sides of the exam
exchanges the sides of the answer, exactly."""

from face3d.grading.heads import Grader, Outputs, mean_outputs
from face3d.grading.networks.batch import Batch, batch_of
from face3d.grading.networks.correspondence import CorrespondenceNetwork

__all__ = ["Batch", "CorrespondenceNetwork", "Grader", "Outputs", "batch_of", "mean_outputs"]
