"""What is asked of the program beyond the everyday: long, random, and by hand. Short versions are among the tests."""
