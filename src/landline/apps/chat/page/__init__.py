"""The chat's page in the browser: plain HTML, CSS and JavaScript modules, served as they stand here. ``client.js`` is its model of the chat,
``view.js`` what a person sees, ``main.js`` brings them together with the library's JavaScript client.
"""
