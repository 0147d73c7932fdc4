"""Do groups get different answers, by how much, and is it more than noise? Pure: tables in, estimates out.

    decisions        a table of outcomes and groups          fairlearn's frame, intervals, gaps, verdicts
    pairs            two sentences, one stereotyped          how often the model finds that one likelier
    questions        BBQ-shaped questions                    accuracy and bias scores, ambiguous and not
    counterfactual   the same prompt for each group          effects, noise floor, corrected for many looks

Every estimate carries its interval and its n, and "cannot tell" is a verdict.
"""
