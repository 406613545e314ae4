"""Training frameworks: each module reports what its framework measures to a trial.

Import the module of your framework, such as ``asha_bus.integrations.xgboost``. A framework that
is not installed raises an ImportError that names its extra.
"""
