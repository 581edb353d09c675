"""Changes of environments as reviewed commits: a change set becomes a branch, a branch a request, a request a merge.

Git is asked as a program and forges by their REST APIs. What is to change is decided elsewhere, by the gates and by
people; nothing here touches a cluster or the person's checkout.
"""
