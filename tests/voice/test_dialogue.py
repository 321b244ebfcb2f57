"""The state machine alone: time is the sound that is given, recognitions and answers come when the test says so."""

from __future__ import annotations

import numpy as np
import pytest
from scene import Scene, answer, events, said, words

from ragvoice.datatypes import AudioChunk, Draft, Transcription
from ragvoice.errors import SpeechError
from ragvoice.voice.events import (
    AnswerPaused,
    AnswerResumed,
    Failed,
    Interrupted,
    NothingHeard,
    NothingToAnswer,
    Partial,
    SpeechEnded,
    SpeechStarted,
    Waiting,
)
from ragvoice.voice.messages import (
    CancelTurn,
    Clear,
    Commit,
    Emit,
    GiveUp,
    Interrupt,
    LetGo,
    LoopOptions,
    Played,
    Prepare,
    Recognise,
    Recognised,
    Respond,
    Sound,
    StartTurn,
    Tick,
    TurnHeldUp,
    Typed,
)
from ragvoice.voicebot import Heard

QUESTION = "How many holidays do I get?"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def asked(scene: Scene, text: str = QUESTION) -> None:
    """A whole spoken turn, whose answer is running then."""
    scene.speak(0.8)
    scene.silence(0.3)
    scene.recognise(text)
    scene.silence(0.4)


def test_a_turn_in_its_order(scene: Scene) -> None:
    scene.silence(1)
    assert scene.actions == []

    first = events(scene.speak(0.8))
    assert first == [SpeechStarted(pytest.approx(1.0, abs=0.04))]
    pause = scene.silence(0.25)
    assert [type(action) for action in pause] == [Recognise]
    understood = scene.recognise(QUESTION)
    assert [type(action) for action in understood] == [Emit, StartTurn]
    assert events(understood) == [Partial(QUESTION, "")]
    begun = scene.answer(Heard(words(QUESTION)), said("You get 25.", 1.0))
    assert begun == []  # nothing is told before the longer pause
    told = scene.silence(0.4)
    assert [type(event) for event in events(told)] == [SpeechEnded, Heard, type(said("", 1))]
    assert type(told[-1]) is LetGo


def test_speech_is_given_to_the_recogniser_with_what_was_before_it(scene: Scene) -> None:
    scene.silence(2)
    scene.speak(0.8)
    scene.silence(0.25)
    samples_t = scene.last(Recognise).sound.samples_t

    # 0.8 s of speech, 0.1 s of pause, and what was kept of the silence before: 13 windows, while 3 were waited for.
    assert int((samples_t == 1.0).sum()) == 25 * 512
    assert (samples_t[: 13 * 512] == 0.0).all()
    assert samples_t[13 * 512] == 1.0


def test_who_goes_on_gets_no_answer_to_half_a_question(scene: Scene) -> None:
    scene.speak(0.8)
    scene.silence(0.25)
    scene.recognise(QUESTION)
    begun = scene.last(StartTurn)
    scene.answer(said("You get 25.", 1.0))

    resumed = scene.speak(0.5)
    assert resumed[0] == CancelTurn(begun.turn)
    scene.silence(0.25)
    scene.recognise("How many holidays do I get in Poland?")
    assert scene.last(StartTurn).turn == begun.turn + 1
    told = events(scene.silence(0.5))

    assert [type(event) for event in told] == [SpeechEnded]
    question = scene.last(StartTurn).question
    assert isinstance(question, Transcription)
    assert question.text == "How many holidays do I get in Poland?"


def test_an_open_sentence_gets_a_longer_pause(scene: Scene) -> None:
    scene.speak(0.8)
    scene.silence(0.25)
    heard = scene.recognise("How many days of the")

    assert heard[-1] == Prepare("How many days of the")
    assert scene.silence(1.0) == []  # neither ended nor begun to be answered
    ended = scene.silence(0.4)
    assert [type(action) for action in ended] == [Emit, StartTurn, LetGo]


def test_a_slow_recogniser_is_waited_for(scene: Scene) -> None:
    scene.speak(0.8)
    ended = scene.silence(1.6)
    assert [type(event) for event in events(ended)] == [SpeechEnded]
    assert StartTurn not in scene.kinds()

    settled = scene.recognise(QUESTION)
    assert [type(action) for action in settled] == [Emit, StartTurn, LetGo]


def test_who_speaks_again_before_the_words_are_known_goes_on_with_the_turn(scene: Scene) -> None:
    scene.speak(0.8)
    scene.silence(1.6)
    scene.speak(0.5)
    scene.recognise("How many holidays")  # of the first part alone: too late
    assert StartTurn not in scene.kinds()
    scene.silence(0.25)

    assert (scene.last(Recognise).sound.samples_t == 1.0).sum() >= (0.8 + 0.5) * 16_000
    scene.recognise(QUESTION)
    assert scene.last(StartTurn)


def test_while_the_person_speaks_words_are_shown_and_prepared_for(scene: Scene) -> None:
    scene.speak(1.3)
    assert [type(action) for action in scene.actions] == [Emit, Recognise]
    scene.speak(2.0)
    assert scene.kinds().count(Recognise) == 1  # never two at a time
    told = scene.recognise("How many")
    assert Prepare not in [type(action) for action in told]  # two words find nothing in particular
    scene.speak(4.2)
    assert scene.recognise("How many hollow days")[-1] == Prepare("How many hollow days")
    scene.speak(8.5)
    told = scene.recognise("How many holidays do I get in")

    assert events(told) == [Partial("How many holidays do I get in", "How many")]
    assert told[-1] == Prepare("How many holidays do I get in")


def test_a_recognition_under_way_is_given_up_at_a_pause_for_one_of_the_whole(scene: Scene) -> None:
    scene.speak(1.3)
    partial = scene.last(Recognise)
    assert scene.silence(0.25) == [GiveUp(partial.job)]
    whole = scene.give(Recognised(partial.job, None))
    assert [type(action) for action in whole] == [Recognise]
    assert (scene.last(Recognise).sound.samples_t == 1.0).sum() >= 1.3 * 16_000
    scene.recognise(QUESTION)

    assert scene.last(StartTurn).question == words(QUESTION, scene.last(Recognise).sound.duration_s)


def test_who_goes_on_after_a_recognition_was_given_up_is_recognised_again(scene: Scene) -> None:
    scene.speak(1.3)
    scene.silence(0.25)
    scene.speak(0.5)
    assert scene.give(Recognised(scene.last(Recognise).job, None)) == []
    scene.speak(1.0)

    assert scene.kinds().count(Recognise) == 2


def test_the_recognition_of_a_pause_is_finished_although_another_pause_comes(scene: Scene) -> None:
    scene.speak(0.8)
    scene.silence(0.25)
    scene.speak(0.5)
    assert scene.silence(0.25) == []
    assert [type(action) for action in scene.recognise("How many")] == [Emit, Recognise]


def test_a_slow_recogniser_is_asked_less_often(scene: Scene) -> None:
    scene.speak(1.1)
    scene.speak(1.5)
    scene.recognise("How")  # took 1.5 s, so the next comes after 3 s of speech
    assert scene.speak(1.4) == []
    assert [type(action) for action in scene.speak(0.2)] == [Recognise]


def test_a_sound_without_words_is_nothing(scene: Scene) -> None:
    scene.speak(0.3)
    scene.silence(0.25)
    scene.recognise("")
    told = scene.silence(0.5)

    assert [type(event) for event in events(told)] == [SpeechEnded, NothingHeard]
    assert StartTurn not in scene.kinds()


def test_by_option_the_bot_says_so() -> None:
    scene = Scene(LoopOptions(answer_silence=True))
    scene.speak(0.3)
    scene.silence(0.25)
    scene.recognise("")
    scene.silence(0.5)

    question = scene.last(StartTurn).question
    assert isinstance(question, Transcription)
    assert question.text == ""


def test_ending_a_turn_by_hand(scene: Scene) -> None:
    scene.silence(0.5)
    assert events(scene.give(Commit())) == [NothingHeard()]
    scene.speak(0.8)
    ended = scene.give(Commit())
    assert [type(action) for action in ended] == [Emit, Recognise]
    settled = scene.recognise(QUESTION)

    assert [type(action) for action in settled] == [Emit, StartTurn, LetGo]


def test_what_was_said_can_be_taken_back(scene: Scene) -> None:
    scene.speak(0.8)
    scene.give(Clear())
    scene.silence(2.0)
    assert StartTurn not in scene.kinds()
    assert SpeechEnded not in [type(event) for event in events(scene.silence(0.1))]

    asked(scene)
    assert StartTurn in scene.kinds()


def test_speech_stops_an_answer_and_says_what_was_heard(scene: Scene) -> None:
    asked(scene)
    first = scene.last(StartTurn)
    scene.answer(said("You get 25 days.", 2.0), said("Ask Ada in Leeds now", 4.0))
    scene.silence(4.35)  # 2.4 of 4 s of the second sentence, when the speech below begins
    told = scene.speak(0.16)

    assert [type(action) for action in told] == [Emit, Emit, CancelTurn, Emit]
    paused, stopped, started = events(told)
    assert paused == AnswerPaused()
    assert isinstance(stopped, Interrupted)
    assert stopped.heard_text == "You get 25 days. Ask Ada in"
    assert stopped.heard_s == pytest.approx(4.4, abs=0.04)
    assert stopped.turn_id is None
    assert isinstance(started, SpeechStarted)
    assert told[2] == CancelTurn(first.turn)
    assert scene.answer(said("Too late.", 1.0)) == []


def test_a_finished_answer_is_interrupted_while_it_is_played(scene: Scene) -> None:
    asked(scene)
    scene.answer(said("You get 25 days.", 2.0), answer("You get 25 days.", "t7"), ends=True)
    scene.give(Played(0.2))
    told = scene.give(Interrupt())

    assert events(told) == [Interrupted("", 0.2, "t7")]
    assert CancelTurn not in [type(action) for action in told]
    assert scene.give(Interrupt()) == []


def test_the_caller_may_know_better_how_much_was_heard(scene: Scene) -> None:
    asked(scene)
    scene.answer(said("You get 25 days.", 2.0), answer("You get 25 days.", "t7"), ends=True)
    scene.now += 60

    assert events(scene.give(Interrupt(heard_s=1.0))) == [Interrupted("You get", 1.0, "t7")]


def test_an_answer_is_stopped_before_the_words_of_its_question_are_known(scene: Scene) -> None:
    scene.speak(0.8)
    scene.silence(1.6)
    scene.give(Interrupt())
    told = events(scene.recognise(QUESTION))
    assert [type(event) for event in told] == [Partial, Heard]
    assert StartTurn not in scene.kinds()
    assert scene.give(Respond()) == [Emit(NothingToAnswer())]

    asked(scene)  # it was that one alone
    assert scene.kinds().count(StartTurn) == 1


def test_who_goes_on_after_stopping_wants_an_answer(scene: Scene) -> None:
    scene.speak(0.8)
    scene.silence(1.6)
    scene.give(Interrupt())
    scene.speak(0.8)
    scene.silence(1.6)
    scene.recognise("How many")
    scene.recognise(QUESTION)
    assert scene.kinds().count(StartTurn) == 1


def test_a_question_that_waits_for_its_client_is_not_lost_by_a_stop() -> None:
    scene = Scene(LoopOptions(answer_at_once=False))
    scene.speak(0.8)
    scene.silence(1.6)
    scene.give(Respond())
    assert scene.give(Interrupt()) == [Emit(NothingToAnswer())]
    scene.recognise(QUESTION)
    assert StartTurn not in scene.kinds()
    assert [type(action) for action in scene.give(Respond())] == [StartTurn, LetGo]


def test_an_answer_that_has_been_played_is_not_interrupted(scene: Scene) -> None:
    asked(scene)
    scene.answer(said("You get 25 days.", 2.0), answer("You get 25 days."), ends=True)
    scene.silence(2.1)

    assert [type(event) for event in events(scene.speak(0.3))] == [SpeechStarted]


def test_an_answer_pauses_at_the_first_sound_and_goes_on_after_a_cough(scene: Scene) -> None:
    asked(scene)
    scene.answer(said("You get 25 days.", 5.0))

    assert events(scene.speak(0.032)) == [AnswerPaused()]
    assert scene.speak(0.096) + scene.silence(0.128) == []
    assert events(scene.silence(0.032)) == [AnswerResumed()]
    assert scene.silence(1) == []
    (stopped,) = events(scene.give(Interrupt()))
    assert isinstance(stopped, Interrupted)
    assert stopped.heard_s == pytest.approx(1.06, abs=0.01)  # it was silent for a quarter of a second


def test_a_sound_that_keeps_coming_pauses_an_answer_once(scene: Scene) -> None:
    asked(scene)
    scene.answer(said("You get 25 days.", 5.0))
    told = [event for _ in range(5) for event in events(scene.speak(0.064) + scene.silence(0.4))]

    assert told == [AnswerPaused(), AnswerResumed()]


def test_a_pause_ends_although_no_more_sound_comes_and_the_next_answer_is_a_fresh_one(scene: Scene) -> None:
    asked(scene)
    scene.answer(said("You get 25 days.", 5.0))
    assert scene.dialogue.wakes_in_s(scene.now) is None
    assert events(scene.speak(0.032)) == [AnswerPaused()]
    scene.now += 0.6
    assert scene.dialogue.wakes_in_s(scene.now) == pytest.approx(0.4)
    assert scene.give(Tick()) == []
    scene.now += 0.401
    assert events(scene.give(Tick())) == [AnswerResumed()]
    assert scene.dialogue.wakes_in_s(scene.now) is None
    scene.now += 2.0
    (stopped,) = events(scene.give(Typed("And in Poland?")))
    assert isinstance(stopped, Interrupted)
    assert stopped.heard_s == pytest.approx(2.03, abs=0.01)  # it was silent for a second

    scene.answer(said("There it is 26.", 5.0))
    assert events(scene.speak(0.032)) == [AnswerPaused()]
    scene.give(Typed("And here?"))
    scene.answer(said("It is 25.", 5.0))
    assert scene.dialogue.wakes_in_s(scene.now) is None, "the pause was that of the answer before"
    scene.now += 1.0
    (stopped,) = events(scene.give(Interrupt()))
    assert isinstance(stopped, Interrupted)
    assert stopped.heard_s == 1.0


def test_what_is_not_heard_yet_is_not_paused(scene: Scene) -> None:
    asked(scene)

    assert scene.speak(0.064) + scene.silence(0.3) == []


def test_who_goes_on_before_the_voice_has_begun_has_only_paused(scene: Scene) -> None:
    asked(scene, "How many holidays?")
    scene.silence(0.5)
    scene.speak(0.5)
    scene.silence(0.25)
    scene.recognise("In Poland, I mean.")

    question = scene.last(StartTurn).question
    assert isinstance(question, Transcription)
    assert question.text == "How many holidays? In Poland, I mean."
    assert Interrupted("", 0.0, continues=True) in events(scene.actions)


def test_later_it_is_a_question_of_its_own(scene: Scene) -> None:
    asked(scene)
    scene.silence(3)
    scene.speak(0.5)
    scene.silence(0.25)
    scene.recognise("And in Poland?")

    question = scene.last(StartTurn).question
    assert isinstance(question, Transcription)
    assert question.text == "And in Poland?"


def test_a_typed_question_interrupts_and_counts_instead_of_what_is_being_said(scene: Scene) -> None:
    asked(scene)
    scene.answer(said("You get 25 days.", 2.0))
    scene.speak(0.5)
    told = scene.give(Typed("And in Poland?"))
    assert told == [StartTurn(2, "And in Poland?"), LetGo(2)]
    scene.silence(2)

    assert scene.kinds().count(StartTurn) == 2


def test_failures_end_the_turn_and_not_the_conversation(scene: Scene) -> None:
    error = SpeechError("no memory")
    scene.speak(0.8)
    scene.silence(0.25)
    assert events(scene.recognition_fails(error)) == [Failed(error)]
    asked(scene)

    assert scene.last(StartTurn)


def test_what_was_held_up_is_begun_again_when_the_turn_is_over(scene: Scene) -> None:
    scene.speak(0.8)
    scene.silence(0.25)
    scene.recognise(QUESTION)
    scene.answer(said("You get 25.", 1.0))

    assert scene.give(TurnHeldUp(2)) == []  # another one
    assert scene.give(TurnHeldUp(1)) == [CancelTurn(1)]
    over = scene.silence(0.5)
    assert [over[1], over[2]] == [StartTurn(2, scene.last(StartTurn).question), LetGo(2)]
    assert scene.give(TurnHeldUp(2)) == []  # it is told


def test_a_draft_that_was_held_back_is_not_told_once_there_is_a_newer_one(scene: Scene) -> None:
    scene.speak(0.8)
    scene.silence(0.25)
    scene.recognise(QUESTION)
    sentence = said("You get 25.", 1.0)
    assert scene.answer(Draft("You"), Draft("You get"), sentence, Draft("Ask"), Draft("Ask Ada")) == []

    told = [event for event in events(scene.silence(0.5)) if not isinstance(event, SpeechEnded)]
    assert told == [sentence, Draft("Ask Ada")]
    assert events(scene.answer(Draft("Ask Ada in"))) == [Draft("Ask Ada in")]


def heard_and_waiting(scene: Scene) -> None:
    scene.speak(0.8)
    scene.silence(0.25)
    scene.recognise(QUESTION)
    scene.silence(0.5)


def test_a_turn_is_told_and_answered_when_that_is_wanted() -> None:
    scene = Scene(LoopOptions(answer_at_once=False))
    heard_and_waiting(scene)
    heard = events(scene.actions)[-1]
    assert isinstance(heard, Heard)
    assert heard.transcription.text == QUESTION
    assert StartTurn not in scene.kinds()

    assert scene.give(Respond()) == [StartTurn(1, heard.transcription), LetGo(1)]
    sentence = said("You get 25.", 1.0)
    assert events(scene.answer(heard, sentence)) == [sentence]
    assert events(scene.give(Respond())) == [NothingToAnswer()]


def test_who_wants_an_answer_before_the_words_are_known_gets_it_then() -> None:
    scene = Scene(LoopOptions(answer_at_once=False))
    scene.speak(0.8)
    scene.silence(1.6)
    assert scene.give(Respond()) == []
    assert [type(action) for action in scene.recognise(QUESTION)][-2:] == [StartTurn, LetGo]
    assert Heard not in [type(event) for event in events(scene.actions)]  # the turn itself tells it

    heard_and_waiting(scene)  # the wish was for one turn
    assert scene.kinds().count(StartTurn) == 1


def test_a_typed_question_takes_the_place_of_one_that_was_not_answered() -> None:
    scene = Scene(LoopOptions(answer_at_once=False))
    heard_and_waiting(scene)
    scene.give(Typed("And in Poland?"))
    scene.answer(answer("It is 26."), ends=True)
    assert scene.give(Respond()) == [Emit(NothingToAnswer())]

    scene.speak(0.8)
    scene.give(Respond())
    told = scene.give(Typed("And in Germany?"))
    assert told[0] == Emit(NothingToAnswer()), "to who has asked for an answer to what was said"
    assert [type(action) for action in told[1:]] == [StartTurn, LetGo]


def test_who_has_asked_for_an_answer_is_told_when_the_question_is_taken_back_or_none() -> None:
    scene = Scene(LoopOptions(answer_at_once=False))
    scene.speak(0.8)
    scene.give(Respond())
    assert scene.give(Clear()) == [Emit(NothingToAnswer())]
    scene.silence(2)
    assert StartTurn not in scene.kinds()

    scene.speak(0.8)
    scene.give(Respond())
    scene.silence(2)
    assert events(scene.recognise(""))[-2:] == [NothingHeard(), NothingToAnswer()]
    assert scene.give(Clear()) == []

    error = SpeechError("no memory")
    scene.speak(0.8)
    scene.give(Respond())
    scene.silence(2)
    assert events(scene.recognition_fails(error)) == [Failed(error)]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_turn_that_has_ended_is_not_taken_back(at_once: bool) -> None:
    scene = Scene(LoopOptions(answer_at_once=at_once))
    scene.speak(0.8)
    scene.silence(1.6)
    scene.give(Respond())
    assert scene.give(Clear()) == []
    assert [type(action) for action in scene.recognise(QUESTION)][-2:] == [StartTurn, LetGo]
    assert scene.give(Respond()) == ([] if at_once else [Emit(NothingToAnswer())])


def test_people_before_one_are_told_once_the_turn_is_certain(scene: Scene) -> None:
    scene.speak(0.8)
    scene.silence(0.25)
    scene.recognise(QUESTION)
    assert scene.answer(Waiting(2)) == []

    assert Waiting(2) in events(scene.silence(0.5))


def test_an_hour_without_a_pause_is_recognised_in_pieces(scene: Scene) -> None:
    held: list[float] = []
    for piece in range(12):
        scene.speak(10)
        if Recognise in scene.kinds():
            scene.recognise(f"part {piece}")
        held.append(scene.dialogue.unrecognised_s)

    assert max(held) < 45
    scene.silence(0.25)
    scene.recognise("the end.")
    scene.silence(0.25)
    scene.recognise("the end.")
    question = scene.last(StartTurn).question
    assert isinstance(question, Transcription)
    assert question.text.endswith("the end.")
    assert question.text.count("part") >= 3


def test_an_hour_of_silence_before_the_turn_is_ended_by_hand_is_not_kept() -> None:
    scene = Scene(LoopOptions(pause_s=1e5, patient_pause_s=1e5))
    scene.speak(0.8)
    scene.silence(0.25)
    scene.recognise(QUESTION)
    for _ in range(20):
        scene.silence(10)
        scene.recognise("")
        assert scene.dialogue.unrecognised_s < 45
    scene.give(Commit())

    question = scene.last(StartTurn).question
    assert isinstance(question, Transcription)
    assert question.text == QUESTION


@pytest.mark.parametrize("echo", ["half_duplex", "correlated"])
def test_its_own_voice_does_not_interrupt_it(echo: str) -> None:
    scene = Scene(LoopOptions(echo=echo))  # type: ignore[arg-type]
    asked(scene)
    # A sound that the detector of this test calls speech, played and heard in the microphone.
    rng = np.random.default_rng(0)
    sound_t = rng.normal(0, 0.2, 32_000).astype(np.float32)
    sound_t[::512] = 1.0
    playing = said("You get 25 days.", 2.0)
    scene.answer(type(playing)(playing.text, None, AudioChunk(sound_t, 16_000)))
    told = []
    for start in range(0, 32_000, 512):
        scene.now += 0.032
        told += scene.give(Sound(AudioChunk(sound_t[start : start + 512], 16_000)))
    assert told == []
    # Somebody else, afterwards.
    scene.silence(0.5)
    assert [type(event) for event in events(scene.speak(0.3))] == [Interrupted, SpeechStarted]


def test_a_microphone_that_removes_echo_is_trusted(scene: Scene) -> None:
    asked(scene)
    scene.answer(said("You get 25 days.", 2.0))

    assert Interrupted in [type(event) for event in events(scene.speak(0.3))]
