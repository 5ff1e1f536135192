"""Malformed inputs, a row each: what a person does with them raises the error and the message of its row."""

import call_cases
import config_cases
import cube_cases
import cube_reduction_cases
import dl3_cases
import good_inputs
import model_cases
import pytest
import response_cases
import spatial_cases
import spectra_cases

TABLES = (
    dl3_cases,
    response_cases,
    spectra_cases,
    model_cases,
    config_cases,
    call_cases,
    cube_cases,
    cube_reduction_cases,
    spatial_cases,
)
CASES = {f"{table.__name__.removesuffix('_cases')}: {case.id}": case for table in TABLES for case in table.CASES}


@pytest.fixture(scope="session")
def good_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    good_inputs.make_good(folder)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_the_message_says_what_is_wrong(name, good_files, tmp_path):
    case = CASES[name]
    given = case.made(good_inputs.Good(good_files, tmp_path))
    with pytest.raises(case.error) as caught:
        case.called(given)
    said = str(caught.value)
    missing = [part for part in case.parts if part not in said]
    assert not missing, f"{missing} not in: {said}"


def test_rows_have_names_of_their_own():
    assert len(CASES) == sum(len(table.CASES) for table in TABLES) >= 80
