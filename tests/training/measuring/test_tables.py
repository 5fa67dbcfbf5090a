"""The paper's tables beside what was measured: the printed numbers, the layout, the order of the rows."""

import re

import numpy as np
import pytest
from scipy.stats import ttest_ind

from pose2pose.training.measuring.paper_numbers import TABLES, Table
from pose2pose.training.measuring.tables import Measured, as_json, beyond_chance, markdown, ordering


def ehf(**numbers: float) -> dict[str, dict[str, float]]:
    return {"ehf": numbers}


GAP = [ehf(pa_mpvpe_all=60.0, pa_mpjpe_body=70.0), ehf(pa_mpvpe_all=62.0, pa_mpjpe_body=70.5)]
PPP = [ehf(pa_mpvpe_all=51.0, pa_mpjpe_body=70.1), ehf(pa_mpvpe_all=53.0, pa_mpjpe_body=70.4)]


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: f"table{table.number}")
def test_every_row_has_a_number_or_a_dash_for_every_column(table: Table) -> None:
    assert {len(row.values) for row in table.rows} == {len(table.columns)}
    assert table.configs
    assert len(set(table.configs)) == len(table.configs)


def test_all_eleven_tables_are_there_with_our_numbers() -> None:
    """Ours as the paper's text and captions give them."""
    assert sorted(TABLES) == list(range(1, 12))
    last = {number: table.rows[-1].values for number, table in TABLES.items()}
    assert last[1] == last[6] == (50.7, 60.9, 11.4, 5.8, 10.3, 0.23)
    assert last[2] == (50.7, 60.9, 11.4, 5.8)
    assert last[3] == last[4] == (50.7, 60.9, 11.4)
    assert last[5] == (50.3, 10.8, 5.8, 60.4, 10.8)
    assert last[7] == (71.0, 47.4, 87.6, 55.3)
    assert last[8] == (7.8, 7.8, 0.661, 0.970)
    assert last[9] == (2.04, 1.98, 1.57, 1.52, 1.79, 1.76)
    assert last[10] == (10.8, 5.8)
    assert last[11] == (0.54, 0.77)


def test_measured_numbers_stand_beside_the_printed_ones() -> None:
    text = markdown(TABLES[1], {"table1_gap": GAP[:1], "paper": PPP})
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("|")}
    assert rows["Settings"].startswith(
        "| Settings | All | here | Body | here | Hands | here | Face | here | Mem. (GB) |"
    )
    assert rows["GAP"] == "| GAP | 54.8 | 60.0 | 66.4 | 70.0 | 12.7 | - | 5.8 | - | 10.2 | - | 0.22 | - |"
    assert rows["PPP (Ours)"].startswith("| PPP (Ours) | 50.7 | 52.0 ± 1.4 | 60.9 | 70.2 ± 0.2 |")
    assert rows["GAP+PPP"].count(" - |") == 6
    assert {row.count("|") for row in rows.values()} == {14}


def test_other_peoples_rows_have_no_numbers_of_ours() -> None:
    row = next(line for line in markdown(TABLES[5], {"paper": PPP}).splitlines() if "ExPose" in line)
    assert re.findall(r"\| ([\d.]+) \| - ", row) == ["54.5", "12.8", "5.8", "62.8", "13.1"]


def test_rendered_people_stand_in_and_the_table_says_so() -> None:
    runs = {"paper": [{"synthetic": {"pa_mpvpe_all": 44.0}, "resources": {"memory_gb": 8.1, "batch": 24}}]}
    text = markdown(TABLES[1], runs)
    assert "| 50.7 | 44.0 |" in text
    assert "| 10.3 | 8.1 |" in text
    assert "24 samples on the machine of these runs" in text
    assert "measured on synthetic, not on the paper's ehf" in text
    both = {"paper": [{"synthetic": {"pa_mpvpe_all": 44.0}, "ehf": {"pa_mpvpe_all": 51.0}}]}
    assert "synthetic" not in markdown(TABLES[1], both)


def test_order_says_how_many_pairs_are_beyond_chance() -> None:
    """Means of 61 and 52 are, at deviations of 1.4 over two seeds; the equal ones of the bodies have no order."""
    notes = ordering(TABLES[1], {"table1_gap": GAP, "paper": PPP})
    assert notes[0] == "All: 1 of 1 pairs in the paper's order (1 beyond chance), 0 against it (0 beyond chance)"
    assert len(notes) == 2
    assert "Welch" in notes[1] and "5%" in notes[1]
    turned = ordering(TABLES[1], {"table1_gap": PPP, "paper": GAP})
    assert turned[0] == "All: 0 of 1 pairs in the paper's order (0 beyond chance), 1 against it (1 beyond chance)"


def test_a_difference_of_more_than_a_standard_error_may_still_be_chance() -> None:
    """As in a small run: 216.7 ± 3.6 and 212.6 ± 2.0 of two seeds, which lie 1.4 standard errors apart."""
    runs = {
        "table3_features": [ehf(pa_mpvpe_all=219.3), ehf(pa_mpvpe_all=214.2)],
        "table3_pose2d_features": [ehf(pa_mpvpe_all=214.0), ehf(pa_mpvpe_all=211.2)],
    }
    assert ordering(TABLES[3], runs)[0] == (
        "All: 0 of 1 pairs in the paper's order (0 beyond chance), 1 against it (0 beyond chance)"
    )


def test_single_runs_are_never_beyond_chance_and_the_table_says_so() -> None:
    runs = {"table1_gap": GAP[:1], "paper": PPP[:1]}
    assert ordering(TABLES[1], runs)[0] == (
        "All: 1 of 1 pairs in the paper's order (0 beyond chance), 0 against it (0 beyond chance)"
    )
    assert "single runs" in markdown(TABLES[1], runs)
    assert ordering(TABLES[1], {"table1_gap": GAP[:1], "paper": PPP})[0].startswith("All: 1 of 1 pairs in the paper's")


def test_the_number_of_runs_is_said_row_by_row_where_it_differs() -> None:
    assert "over the seeds, 2 runs each" in markdown(TABLES[1], {"table1_gap": GAP, "paper": PPP})
    text = markdown(TABLES[1], {"table1_gap": GAP, "paper": PPP[:1]})
    assert "over the seeds, GAP: 2; PPP (Ours): 1" in text


@pytest.mark.parametrize("seed", range(5))
def test_chance_is_scipys_welch_test(seed: int) -> None:
    generator = np.random.default_rng(seed)
    decided = set()
    for apart in np.linspace(0, 8, 30):
        one, other = generator.normal(size=3), apart + 0.3 * generator.normal(size=4)
        wanted = bool(ttest_ind(one, other, equal_var=False).pvalue < 0.05)
        assert beyond_chance(Measured(tuple(one), "ehf"), Measured(tuple(other), "ehf")) is wanted
        decided.add(wanted)
    assert decided == {False, True}


def test_runs_without_deviation_differ_if_their_numbers_do() -> None:
    same = Measured((5.0, 5.0), "ehf")
    assert not beyond_chance(same, same)
    assert beyond_chance(same, Measured((5.1, 5.1), "ehf"))


def test_test_sets_are_not_compared_with_each_other_and_costs_not_with_the_papers() -> None:
    cost = {"memory_gb": 8.0, "forward_seconds": 1.0, "batch": 24}
    runs = {
        "table1_gap": [{"synthetic": {"pa_mpvpe_all": 44.0}, "resources": cost}],
        "paper": [{"ehf": {"pa_mpvpe_all": 51.0}, "resources": {**cost, "memory_gb": 9.0}}],
    }
    assert ordering(TABLES[1], runs) == []


def test_a_network_without_hands_has_no_number_of_hands() -> None:
    runs = {"table2_body_only": [ehf(pa_mpvpe_all=90.0, pa_mpjpe_body=61.0, pa_mpjpe_hands=20.0, pa_mpvpe_face=7.0)]}
    assert "| Body-only Pose2Pose | - | - | 60.6 | 61.0 | - | - | - | - |" in markdown(TABLES[2], runs)


def test_pairs_that_are_equal_in_the_paper_have_no_order() -> None:
    runs = {"table1_gap": [ehf(pa_mpvpe_face=5.0)], "paper": [ehf(pa_mpvpe_face=6.0)]}
    assert ordering(TABLES[1], runs) == []


def test_json_keeps_the_values_of_every_seed() -> None:
    found = as_json(TABLES[1], {"paper": PPP})
    cell = found["rows"][2]["cells"]["All"]
    assert cell == {
        "paper": 50.7, "mean": 52.0, "deviation": pytest.approx(2**0.5), "values": [51.0, 53.0], "dataset": "ehf",
        "metric": "pa_mpvpe_all",
    }  # fmt: skip
    assert found["rows"][0]["cells"]["All"] == {"paper": 54.8}
