"""Moto without work that it repeats for each request, item and test, with the same results.

Most of what the tests took was spent there. Each function here returns what the one in its place
returns.
"""

import copy
import pickle
import re
from collections.abc import Callable
from functools import cache, lru_cache
from threading import RLock

import boto3
import botocore.session
import botocore.useragent
from botocore.crt.auth import CrtSigV4Auth
from botocore.exceptions import NoCredentialsError
from botocore.hooks import EVENT_ALIASES, EventAliaser
from moto import backend_index, backends
from moto.core import DEFAULT_ACCOUNT_ID, models, responses
from moto.core.base_backend import BackendDict
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.exceptions import HTTPException
from moto.core.request import normalize_request
from moto.core.serialize import BaseJSONSerializer
from moto.core.utils import get_equivalent_url_in_aws_domain
from moto.dynamodb import models as dynamodb_models
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing import validators
from moto.dynamodb.parsing.ast_nodes import DepthFirstTraverser, Node
from moto.dynamodb.parsing.expressions import UpdateExpressionParser

# For each session, botocore reads megabytes of services' descriptions.
botocore.session.create_loader = cache(botocore.session.create_loader)

# For each client, it looks up the names of its events among a hundred others.
_init = EventAliaser.__init__


def _init_with_aliases(self, event_emitter, event_aliases=None) -> None:
    _init(self, event_emitter, event_aliases)
    if self._event_aliases == EVENT_ALIASES:
        self._alias_name_cache = _aliases


_aliases: dict[str, str] = {}
EventAliaser.__init__ = _init_with_aliases

# For each request, it looks at each character of the same dozen names.
botocore.useragent.sanitize_user_agent_string_component = cache(
    botocore.useragent.sanitize_user_agent_string_component
)

# For each request, it computes a signature, of which moto reads whose it is, and for which region.
_sign = CrtSigV4Auth.add_auth


def _sign_for_moto(self, request) -> None:
    if not models.botocore_stubber.enabled or type(self) is not CrtSigV4Auth:
        _sign(self, request)
    elif self.credentials is None:
        raise NoCredentialsError
    else:
        scope = f"20000101/{self._region_name}/{self._service_name}/aws4_request"
        request.headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.credentials.access_key}/{scope}, "
            "SignedHeaders=host, Signature=0"
        )


CrtSigV4Auth.add_auth = _sign_for_moto

# For each request, moto lists the members of the service's class.
responses.method_names_from_class = cache(responses.method_names_from_class)

# For each test, it makes a thousand responses to requests that no test sends.
models.CallbackResponse = cache(models.CallbackResponse)

_serialize_map = BaseJSONSerializer._serialize_type_map


def _serialize_item(self, serialized, value, shape, key) -> None:
    """Take an item as it is: in the form in which DynamoDB sends it. Bytes would fail."""
    if shape.value.name == "AttributeValue" and all(type(each) is dict for each in value.values()):
        self._default_serialize(serialized, dict(value), shape, key)
    else:
        _serialize_map(self, serialized, value, shape, key)


BaseJSONSerializer._serialize_type_map = _serialize_item

# For each node of an update's expression, moto asks which nodes it is to look at, and looks at all
# below it for what it looks for below its parents as well.
_nodes = DepthFirstTraverser.nodes_to_be_processed


def _nodes_once(self):
    if not hasattr(self, "_nodes"):
        self._nodes = _nodes(self)
    return self._nodes


def _at_root(check):
    return lambda self, node: node if node.parent else check(self, node)


def _copy_tree(node):
    if not isinstance(node, Node):
        return copy.deepcopy(node)
    copied = copy.copy(node)
    if node.children is not None:
        copied.children = [_copy_tree(child) for child in node.children]
        for child in copied.children:
            if isinstance(child, Node):
                child.parent = copied
    return copied


DepthFirstTraverser.nodes_to_be_processed = _nodes_once
_Counts, _Overlaps = validators.ActionCountValidator, validators.OverlappingPathsValidator
_Counts.verify_action_counts = _at_root(_Counts.verify_action_counts)
_Overlaps.check_for_overlapping_paths = _at_root(_Overlaps.check_for_overlapping_paths)
validators.deepcopy = _copy_tree
UpdateExpressionParser.make = lru_cache(1000)(UpdateExpressionParser.make)  # only copies change


def _copy_items(self, memo) -> Table:
    """Copy what a transaction may change: the items."""
    assert self.stream_shard is None, "a stream changes as well"
    table = copy.copy(self)
    table.items = copy.deepcopy(self.items, memo)
    return table


Table.__deepcopy__ = _copy_items

# AWS takes requests one after another where it matters. Moto takes all at once, and loses some.
_one_at_a_time = RLock()


@lru_cache(4096)
def _method(url: str):
    """Return the method that answers requests of the URL, as the stubber finds it."""
    for service, pattern in backend_index.backend_url_patterns:
        if pattern.match(url):
            backend = backends.get_backend(service)
            if isinstance(backend, BackendDict):
                regions = backend[DEFAULT_ACCOUNT_ID]
                backend = regions["us-east-1" if "us-east-1" in regions else "aws"]
            else:
                backend = backend["global"]
            for each, method in backend.urls.items():
                if re.match(each, url):
                    return method
    return None


_process = BotocoreStubber.process_request


def _process_alone(self, request):
    with _one_at_a_time:
        url, _ = get_equivalent_url_in_aws_domain(request.url)
        method = _method(f"{url.scheme}://{url.netloc}{url.path}")
        if not method:
            return _process(self, request)
        request = normalize_request(request)
        try:
            return method(request, request.raw_url, request.headers)
        except HTTPException as error:
            return error.code, error.get_headers(), error.get_body()


BotocoreStubber.process_request = _process_alone


@cache
def session() -> boto3.Session:
    """Return the session of all tests that use moto."""
    return boto3.Session()


def _backend() -> dynamodb_models.DynamoDBBackend:
    return dynamodb_models.dynamodb_backends[DEFAULT_ACCOUNT_ID][session().region_name]


def tables(create: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Have the tables that ``create`` creates, and return what it returns.

    It does so once a process. Later tests begin with copies of the empty tables.
    """
    if create not in _created:
        names = create()
        _created[create] = names, pickle.dumps(_backend().tables)
    names, pickled = _created[create]
    _backend().tables = pickle.loads(pickled)
    return dict(names)


_created: dict[Callable, tuple[dict[str, str], bytes]] = {}


def items() -> bytes:
    """Return all items of all tables, for ``put_items``."""
    return pickle.dumps({name: table.items for name, table in _backend().tables.items()})


def put_items(pickled: bytes) -> None:
    """Put copies of the items into the tables, each in the place of the one of its key."""
    for name, items in pickle.loads(pickled).items():
        table = _backend().tables[name]
        for key, item in items.items():
            if table.range_key_attr:
                table.items[key].update(item)
            else:
                table.items[key] = item
