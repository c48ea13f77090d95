"""Other plugins beside this one: pytest-xdist, JUnit reports, Allure, and reruns of tests."""
