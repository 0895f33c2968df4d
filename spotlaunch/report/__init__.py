"""The page of `report --html`: pure functions from an account to one file of HTML that fetches nothing."""
