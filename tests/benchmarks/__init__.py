"""Django's sessions and ours, measured side by side.

    python -m tests.benchmarks [--quick] [--output DIRECTORY] [--rows N] [GROUP …]

Each side is a process of its own, on the same store and with the same settings but for the
package's name. They take turns: a round is one sample of Django's and one of ours (and one of
each limit), and the ratio is the median over the rounds of ours / Django's. A limit is the same
work without a session engine: the statement through a bare cursor, the bare client's GET.
"""
