# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin's relief, shown in one of three ways."""
