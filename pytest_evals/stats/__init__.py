"""Statistics: numbers in, numbers out.

No module here knows pytest, models or files. A value that does not exist is `Absent` with a reason;
an argument outside its range is a ValueError.
"""
