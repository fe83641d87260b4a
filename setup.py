"""Package metadata. The templates of ``dialplan/`` are installed as package data."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

setup(
    name="fsctl",
    version="0.1.0",
    description="Call transfers on an unpatched FreeSWITCH, under the control of Python scenarios",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=[*find_packages(include=["fsctl", "fsctl.*"]), "fsctl.templates"],
    package_dir={"fsctl.templates": "dialplan"},
    package_data={
        "fsctl": ["py.typed"],
        "fsctl.records.migrations": ["*.mako"],
        "fsctl.web": ["static/*"],
        "fsctl.templates": ["*.xml.j2"],
    },
    install_requires=[
        "gevent>=24.2",
        "greenswitch>=0.0.19,<0.1",
        "jinja2>=3.1",
        "phonenumberslite>=9.0",
        "sqlalchemy>=2.0.36",
        "alembic>=1.14",
        "rich>=13.9",
        "shtab>=1.7",
        "flask>=3.1",
        "prometheus-client>=0.21",
    ],
    extras_require={
        "postgresql": ["psycopg[binary]>=3.2"],
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.5",
            "pytest-randomly>=3.15",
            "hypothesis>=6.100",
            "psycopg[binary]>=3.2",
            "schemathesis>=4.0",
            "pyyaml>=6",
            "kubernetes-validate>=1.33",
        ],
        "docs": ["sphinx>=8.1", "myst-parser>=4.0", "furo>=2024.8.6"],
        "dev": ["mypy==2.4.1", "ruff==0.17.6"],
    },
    entry_points={
        "console_scripts": ["fsctl = fsctl.cli:main"],
        "pytest11": ["fsctl = fsctl.testing"],
    },
    classifiers=[
        "License :: OSI Approved :: MIT License",
        "Programming Language :: Python :: 3.11",
        "Topic :: Communications :: Telephony",
        "Typing :: Typed",
    ],
)
