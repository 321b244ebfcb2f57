"""`streamlit run app.py`: the page and the voice door. `ragvoice ui` starts the same with flags."""

from streamlit.starlette import App

from ragvoice.ui.asgi import app_parts

app = App(**app_parts())
