"""The script that Streamlit runs for every page and every click."""

from ragvoice.server.shared import desk
from ragvoice.ui.main import draw
from ragvoice.ui.sign_in import current_person
from ragvoice.ui.voice_widget import live_voice

draw(current_person, desk, live_voice)
