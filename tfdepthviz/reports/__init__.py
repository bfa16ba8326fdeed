"""Reports: pictures, TensorBoard summaries and HTML pages that a person looks at.

Pictures are (height, width, 3) uint8 RGB arrays.

    strips              the row of pictures of one frame, from networks or from maps
    colours             depth maps, differences and grey levels in colours
    panels              titled panels with colour scales, the layout of a strip
    grids               pictures in labelled rows and columns
    rendering           matplotlib figures to pictures, pictures to PNG files
    training_curves     the logged values of a run over its epochs
    comparison_figures  curves and areas of masks and controls, pixels that each keeps
    comparison_strips   pixels that masks and controls keep of a frame
    optimized_masks     optimised masks, rated and drawn
    completion_preview  a frame next to its depth before and after completion
    sweep_figures       Figure 4 of the paper: masks and curves over lambda

    html                parts of an HTML page in a single file
    wording             texts that several pages share
    evaluation_report   page of trainers.evaluate and trainers.demo
    comparison_report   page of trainers.compare_masks
    optimization_report page and tables of trainers.optimize_mask
    sweep_report        page of trainers.sweep_sparsity
    explanation         files of one image of trainers.explain
    explanation_page    page and tables over all its images

    tensorboard         callbacks: logged values, and masks of fixed frames, while a network trains
    run_card            a run's text, hyperparameters and charts in TensorBoard
    hparams             a sweep in TensorBoard's HParams
    event_files         event files: continuing them, checking that they are complete
"""
