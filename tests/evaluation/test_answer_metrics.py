"""The rules of SQuAD and the n-gram measures, with the arithmetic written out or a published case."""

from __future__ import annotations

from math import exp

import pytest

from ragvoice.evaluation.answer_metrics import (
    bleu,
    chrf,
    contains,
    corpus_bleu,
    corpus_chrf,
    exact_match,
    f1,
    is_right,
    normalise,
    rouge_l,
)


def test_normalisation() -> None:
    assert normalise("The  Answer, is: A 25-day leave!") == "answer is 25day leave"


def test_exact_match_takes_any_gold() -> None:
    assert exact_match("the 25 days.", ["three weeks", "25 Days"]) == 1
    assert exact_match("25 days a year", ["25 days"]) == 0
    assert exact_match("25 days", []) == 0


def test_f1_is_the_harmonic_mean_of_shared_words() -> None:
    # answer: get 25 days leave (4 words); gold: 25 days (2). Shared 2: precision 2/4, recall 2/2, F1 = 2*.5*1/1.5
    assert f1("get 25 days leave", ["25 days"]) == pytest.approx(2 / 3)
    # "days days" against "days": shared 1, precision 1/2, recall 1
    assert f1("days days", ["days"]) == pytest.approx(2 / 3)
    assert f1("25 days", ["nothing", "25 days"]) == 1
    assert f1("elephants", ["25 days"]) == 0
    assert f1("", ["25 days"]) == 0
    assert f1("the", ["a"]) == 1  # both are empty once normalised
    assert f1("x", []) == 0


def test_contains_wants_whole_words_in_one_piece() -> None:
    assert contains("You get 25 days a year.", ["25 days"]) == 1
    assert contains("You get 125 days a year.", ["25 days"]) == 0
    assert contains("25 long days", ["25 days"]) == 0
    assert contains("anything", ["the"]) == 0
    assert contains("anything", []) == 0


def test_rouge_l_of_the_paper() -> None:
    # Lin 2004: longest common subsequences "police the gunman" (3 of 4 words) and "the gunman" (2 of 4)
    assert rouge_l("police kill the gunman", ["police killed the gunman"]) == pytest.approx(3 / 4)
    assert rouge_l("the gunman kill police", ["police killed the gunman"]) == pytest.approx(2 / 4)
    assert rouge_l("kill", ["kills"]) == 0  # no stemming
    # precision 2/2, recall 2/4 against the first, 2/3 against the second: F = 2*1*2/3 / (1 + 2/3)
    assert rouge_l("25 days", ["25 days of leave", "25 days off"]) == pytest.approx(4 / 5)
    assert rouge_l("", ["25 days"]) == rouge_l("25 days", []) == 0


def test_bleu_of_the_paper() -> None:
    golds = [
        "It is a guide to action that ensures that the military will forever heed Party commands",
        "It is the guiding principle which guarantees the military forces always being under the command of the Party",
        "It is the practical guide for the army always to heed the directions of the party",
    ]
    answer = "It is a guide to action which ensures that the military always obeys the commands of the party"
    # Papineni et al. 2002, example 1: 17, 10, 7 and 4 of 18, 17, 16 and 15 n-grams; as long as a gold answer
    assert bleu(answer, golds) == pytest.approx((17 / 18 * 10 / 17 * 7 / 16 * 4 / 15) ** 0.25)


def test_bleu_of_short_answers() -> None:
    assert bleu("25 days", ["25 days"]) == 1  # orders that two words do not have are left out
    assert bleu("25 days", ["25 days of leave"]) == pytest.approx(exp(1 - 4 / 2))  # brevity penalty alone
    assert bleu("", ["25 days"]) == bleu("25 days", []) == 0


def test_corpus_bleu_sums_before_it_divides() -> None:
    answers, golds = ["a b c d", "a b x y"], [["a b c d"], ["c d e f", "a b z w"]]
    # n-grams found: 4+2 of 8, 3+1 of 6, 2+0 of 4, 1+0 of 2; eight words against eight
    assert corpus_bleu(answers, golds) == pytest.approx((6 / 8 * 4 / 6 * 2 / 4 * 1 / 2) ** 0.25)
    assert corpus_bleu(["a b c d e"], [["a b c d e"]]) == 1


def test_chrf_is_the_f2_of_characters() -> None:
    # "ab" against "abc": precision 2/2 and 1/1, recall 2/3 and 1/2; the gold answer alone has three in a row
    recall = (2 / 3 + 1 / 2) / 2
    assert chrf("ab", ["abc"]) == pytest.approx(5 * recall / (4 + recall))
    assert chrf("ab", ["xyz", "ab"]) == 1
    assert chrf("ab", []) == chrf("", ["ab"]) == 0
    # with "cd" right beside it: characters 4 of 4 and of 5, pairs 2 of 2 and of 3
    recall = (4 / 5 + 2 / 3) / 2
    assert corpus_chrf(["ab", "cd"], [["abc"], ["x", "cd"]]) == pytest.approx(5 * recall / (4 + recall))


@pytest.mark.parametrize("measure", [corpus_bleu, corpus_chrf])
def test_a_corpus_needs_answers_and_golds(measure: object) -> None:
    assert callable(measure)
    for answers, golds in (([], []), (["a"], [[]])):
        with pytest.raises(ValueError, match="Nothing to score"):
            measure(answers, golds)


def test_right_is_a_contained_gold_answer() -> None:
    assert is_right("You get 25 days.", ["25 days"], "spoken")
    assert not is_right("You get 24 days.", ["25 days"], "spoken")
    assert not is_right("", ["the"], "short")
    assert not is_right("25 days", [], "short")


def test_half_of_the_words_are_enough_for_a_short_answer_only() -> None:
    # "red door" against "blue door": one word of two, F1 0.5; against three words 0.4
    assert is_right("red door", ["blue door"], "short")
    assert not is_right("red door", ["blue door"], "spoken")
    assert not is_right("red door", ["blue wooden door"], "short")


def test_another_number_is_wrong_however_many_words_agree() -> None:
    assert not is_right("24 days", ["25 days"], "short")
    assert is_right("25 days of leave", ["25 days"], "short")


def test_a_long_gold_answer_may_be_quoted_in_part() -> None:
    gold = "Alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar."
    assert is_right("Alpha charlie echo golf india kilo mike, zebra yankee victor.", [gold], "spoken")  # 7 words of 10
    assert not is_right("Alpha charlie echo golf india kilo, zebra yankee victor.", [gold], "spoken")  # 6 of 9
    assert not is_right("Alpha charlie echo golf.", [gold.replace(" oscar", "")], "spoken")  # 14 words: a fact
