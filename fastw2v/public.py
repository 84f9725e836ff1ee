"""What ``import fastw2v`` gives: every public name but `kernels` and `reference`, which are modules."""

from .config import TrainConfig as TrainConfig
from .driver import train as train
from .driver import train_ids as train_ids
from .embeddings import Embeddings as Embeddings
from .embeddings import load as load
from .errors import ClusterError as ClusterError
from .errors import ConfigError as ConfigError
from .errors import CorpusError as CorpusError
from .errors import DivergedError as DivergedError
from .errors import FastW2VError as FastW2VError
from .errors import FolderError as FolderError
from .errors import FormatError as FormatError
from .errors import Terminated as Terminated
from .errors import UnknownWordError as UnknownWordError
from .evaluate import evaluate_analogies as evaluate_analogies
from .evaluate import evaluate_similarity as evaluate_similarity
from .prepared import prepare as prepare
from .run import Progress as Progress
from .word2vec_format import load_word2vec_format as load_word2vec_format
