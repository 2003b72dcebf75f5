"""Subscribers are told of mutations as AppSync would tell them."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.local.realtime.helpers import ALL, OF_A_CASE, nothing_more
from tests.realtime_client import connect


def test_each_subscriber_is_told_of_what_it_asked_for(url, mutate):
    with connect(url, "pathologist") as of_c1, connect(url, "technician") as of_c2:
        c1 = of_c1.subscribe(OF_A_CASE, {"case": "C1"})
        c2 = of_c2.subscribe(OF_A_CASE, {"case": "C2"})
        mutate(ImageID="1", CaseID="C1")
        mutate(ImageID="2", CaseID="C2")
        assert of_c1.next() == {"data": {"onUpdateSlide": {"ImageID": "1"}}}
        assert of_c2.next() == {"data": {"onUpdateSlide": {"ImageID": "2"}}}
        assert nothing_more(of_c1, c1)
        assert nothing_more(of_c2, c2)


def test_all_arguments_must_match(client, mutate):
    query = 'subscription { onUpdateSlide(CaseID: "C1", SlideID: "C1-2") { SlideID } }'
    name = client.subscribe(query)
    mutate(SlideID="C1-1")
    mutate(SlideID="C1-2", CaseID="C2")
    mutate(SlideID="C1-2")
    assert client.next() == {"data": {"onUpdateSlide": {"SlideID": "C1-2"}}}
    assert nothing_more(client, name)


def test_null_matches_null_only_and_an_argument_left_out_matches_all(client, mutate):
    null = client.subscribe(OF_A_CASE, {"case": None})
    absent = client.subscribe(OF_A_CASE)
    mutate(ImageID="1", CaseID="C1")
    mutate(ImageID="2", CaseID=None)
    assert client.next(name=absent)["data"]["onUpdateSlide"]["ImageID"] == "1"
    assert client.next(name=absent)["data"]["onUpdateSlide"]["ImageID"] == "2"
    assert client.next(name=null)["data"]["onUpdateSlide"]["ImageID"] == "2"
    assert nothing_more(client, null, absent)


def test_only_what_the_mutation_selects_is_known(client, mutate):
    every = client.subscribe("subscription { onUpdateSlide { ImageID CaseID Barcode { text } } }")
    of_c1 = client.subscribe(OF_A_CASE, {"case": "C1"})
    of_null = client.subscribe(OF_A_CASE, {"case": None})
    required = client.subscribe("subscription { onUpdateSlide { Filename } }")
    mutate("mutation ($input: SlideInput!) { updateSlide(input: $input) { ImageID } }")

    slide = {"ImageID": "1", "CaseID": None, "Barcode": None}
    assert client.next(name=every) == {"data": {"onUpdateSlide": slide}}
    # The schema says that a slide has a file name: as AppSync, an error stands in its place.
    payload = client.next(name=required)
    assert payload["data"] == {"onUpdateSlide": None}
    assert payload["errors"][0]["path"] == ["onUpdateSlide", "Filename"]
    assert nothing_more(client, of_c1, of_null, every, required)


def test_aliases_fragments_and_type_names_work_on_both_sides(client, mutate):
    client.subscribe(
        "subscription Changes { change: onUpdateSlide { __typename key: ImageID ...more } }"
        " fragment more on Slide { code: Barcode { __typename text reason } CaseID }"
    )
    mutate(
        "mutation ($input: SlideInput!, $no: Boolean = false) { done: updateSlide(input: $input) {"
        " __typename id: ImageID a: Barcode { text } b: Barcode { why: reason } ...case"
        " CaseID @include(if: $no) } } fragment case on Slide { case: CaseID }"
    )
    barcode = {"__typename": "Barcode", "text": "C1-1", "reason": None}
    change = {"__typename": "Slide", "key": "1", "code": barcode, "CaseID": "C1"}
    assert client.next() == {"data": {"change": change}}


def test_a_nested_field_is_for_its_groups_only(client, mutate):
    query = "subscription { onAnyChange { ImageID Notes } }"
    pathologist = client.subscribe(query)
    technician = client.subscribe(query, token="technician")
    mutate("mutation ($input: SlideInput!) { updateSlide(input: $input) { ImageID Notes } }")
    assert client.next(name=technician)["data"]["onAnyChange"]["Notes"] == "n"
    payload = client.next(name=pathologist)
    assert payload["data"]["onAnyChange"] == {"ImageID": "1", "Notes": None}
    assert payload["errors"][0]["errorType"] == "Unauthorized"
    # Who may not see a field of a mutation's result tells nobody of it.
    mutate('mutation { touchSlide(ImageID: "2") { ImageID Notes } }', who="pathologist")
    assert client.next(name=technician)["data"]["onAnyChange"] == {"ImageID": "2", "Notes": None}


def test_a_subscription_is_to_its_own_mutations(client, mutate):
    of_updates = client.subscribe(ALL)
    of_all = client.subscribe("subscription { onAnyChange { ImageID } }")
    mutate('mutation { touchSlide(ImageID: "3") { ImageID } }')
    assert client.next(name=of_all) == {"data": {"onAnyChange": {"ImageID": "3"}}}
    assert nothing_more(client, of_updates, of_all)


def test_mutations_that_fail_are_told_to_nobody(client, mutate):
    name = client.subscribe(ALL)
    assert mutate(ImageID="unknown")["errors"][0]["errorType"] == "NotFound"
    assert mutate(who="pathologist")["errors"][0]["errorType"] == "Unauthorized"
    assert mutate(ImageID="nothing") == {"data": {"updateSlide": None}}
    # Of two in one request the one that succeeded counts.
    mutate(
        'mutation { a: updateSlide(input: {ImageID: "unknown"}) { ImageID }'
        ' b: updateSlide(input: {ImageID: "2"}) { ImageID } }'
    )
    assert client.next()["data"]["onUpdateSlide"]["ImageID"] == "2"
    assert nothing_more(client, name)


def test_stop_ends_one_subscription(client, mutate):
    stopped, kept = client.subscribe(ALL), client.subscribe(ALL)
    client.stop(stopped)
    mutate()
    assert client.next(name=kept)["data"]["onUpdateSlide"]["ImageID"] == "1"
    assert nothing_more(client, kept)


@pytest.mark.slow
def test_many_subscribers_and_many_mutations_at_once(url, mutate):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(url, "technician")) for _ in range(40)]
        for client in clients:
            client.subscribe(ALL)
        gone = clients.pop()
        gone.__exit__()
        wanted = {str(number) for number in range(50)}
        with ThreadPoolExecutor(10) as pool:
            answers = pool.map(lambda each: mutate(ImageID=each, SlideID=each), wanted)
            assert {each["data"]["updateSlide"]["ImageID"] for each in answers} == wanted
        for client in clients:
            told = [client.next()["data"]["onUpdateSlide"] for _ in wanted]
            assert {each["ImageID"] for each in told} == wanted
            assert all(each["ImageID"] == each["SlideID"] for each in told)
