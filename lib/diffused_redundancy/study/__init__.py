"""The study: what turns measures into notebooks, reports and verdicts."""

from .._lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        ".analysis": (
            "agreement beside_paper closed_form_errors curve_table debiased_rows panels paper_table probe_fulls "
            "read_agreement read_cka read_debiased read_probes read_redundancy redundancy_by_net redundancy_figure redundancy_table shares_of_a_fifth"
        ),
        ".cells": "MEASURES Cell Cells cells_table grouped measure_cell measure_cells nets_table point results_of shown_cells",
        ".comparison": (
            "by_size common_bar differences differences_table neurons_for neurons_needed read_families read_groups read_levels read_seed_pairs "
            "read_strengths read_widths spaced_ticks strength_series verdict_on width_series"
        ),
        ".fronts": "front fronts_figure_data fronts_table leading read_fronts read_leading",
        ".figures": "bars_figure curves_figure errors_figure groups_figure matrix_figure series_figure trade_figure",
        ".classes": "",
        ".depth": "",
        ".nested": "",
        ".penalties": "penalty_effects penalty_table read_penalty_effects",
        ".session": "Session begin markdown_table",
        ".verdicts": "a_fifth_within as_good_as_projections components_first every_subset_keeps tasks_differ",
    },
)
