import copy
import json
import re

import pytest
from huggingface_hub import ModelCard

from ssl_ecg_hf.model_card import Example, Supplement, render_model_card
from ssl_ecg_hf.model_card.datasets import DATASETS
from ssl_ecg_hf.model_card.references import ENCODERS, OBJECTIVES, TRIPOD_AI

LEADS = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
CONFIG = {
    "architectures": ["SslEcgForSequenceClassification"],
    "sampling_rate": 100,
    "num_samples": 1000,
    "leads": LEADS,
    "normalization": "fixed",
    "normalization_scale": 1.0,
    "encoder_type": "cnn",
    "id2label": {"0": "NORM", "1": "MI"},
    "problem_type": "multi_label_classification",
    "thresholds": [0.412345678, 0.287654],
    "custom_pipelines": {"ecg-classification": {"impl": "pipeline_ssl_ecg.EcgClassificationPipeline"}},
}
RECIPE = {
    "objective": "simclr",
    "dataset": {"name": "PTB-XL 1.0.3", "public": "ptb-xl", "simulated": False, "split": "folds 1-8"},
    "pretraining": {
        "learning_rate": 0.00025,
        "output_dir": "/home/somebody/runs/7",
        "hub_token": "hf_secret",
    },
}


def interval(estimate, low, high):
    return {"estimate": estimate, "low": low, "high": high, "undefined_draws": 0}


def measured(auroc, auprc, f1):
    return {
        "auroc": auroc, "auprc": auprc, "f1": f1, "f1_at_0.5": 0.611, "sensitivity": 0.733,
        "specificity": 0.877, "brier": 0.131, "ece": 0.043,
    }  # fmt: skip


@pytest.fixture
def metrics():
    norm = measured(0.951, 0.931, 0.841) | {"threshold": 0.412346, "support": 463, "prevalence": 0.429}
    mi = measured(0.921, 0.811, 0.721) | {"threshold": 0.287654, "support": 271, "prevalence": 0.251}
    return {
        "schema": 1,
        "run": {
            "dataset": {"name": "PTB-XL 1.0.3", "public": "ptb-xl", "simulated": False,
                        "split": "folds 1-8 / 9 / 10"},
            "environment": {"date": "2026-11-20T07:00:00+00:00", "ssl_ecg_hf": "0.1.0",
                            "git_revision": "abc123", "git_modified": False},
        },
        "classes": ["NORM", "MI"],
        "class_meanings": {"NORM": "normal ECG", "MI": "myocardial infarction"},
        "data": {
            "test": {"records": 1079, "patients": 955, "records_without_label": 3},
            "validation": {"records": 2146, "patients": 1887, "records_without_label": 4},
        },
        "thresholds": {"chosen_on": "validation", "rule": "highest F1",
                       "values": {"MI": 0.287654, "NORM": 0.412346}, "not_chosen": []},
        "test": {"records": 1079, "undefined": [], "macro": measured(0.936, 0.871, 0.781),
                 "per_class": {"MI": mi, "NORM": norm}},
        "intervals": {
            "confidence": 0.95, "draws": 1000, "seed": 0, "resampled": "patients",
            "auroc": {"macro": interval(0.936, 0.925, 0.946),
                      "per_class": {"NORM": interval(0.951, 0.94, 0.962), "MI": interval(0.921, 0.9, 0.94)}},
            "auprc": {"macro": interval(0.871, 0.851, 0.89),
                      "per_class": {"NORM": interval(0.931, 0.91, 0.95), "MI": interval(0.811, 0.77, 0.85)}},
            "f1": {"macro": interval(0.781, 0.76, 0.8),
                   "per_class": {"NORM": interval(0.841, 0.82, 0.86), "MI": interval(0.721, 0.68, 0.76)}},
            "sensitivity": {"macro": interval(0.733, 0.7, 0.77),
                            "per_class": {"NORM": interval(0.733, 0.69, 0.78),
                                          "MI": interval(0.733, 0.65, 0.8)}},
        },
        "calibration": {"temperature": 1.234, "macro_ece": 0.043, "macro_ece_with_temperature": 0.021},
        "subgroups": {"sex": {
            "female": {"records": 512, "macro_auroc": 0.929, "undefined": ["MI"],
                       "macro_auroc_interval": interval(0.929, 0.911, 0.944)},
            "male": {"records": 5, "macro_auroc": None, "undefined": ["NORM", "MI"],
                     "macro_auroc_interval": None},
        }},
    }  # fmt: skip


def render(metrics, *, config=None, recipe=RECIPE, kind="classifier", repo_id="owner/ecg-simclr", **more):
    return render_model_card(
        config=CONFIG | (config or {}),
        metrics=metrics,
        recipe=recipe,
        repo_id=repo_id,
        kind=kind,
        supplement=Supplement(**more),
    )


def values_in(found):
    if isinstance(found, dict):
        return {value for item in found.items() for part in item for value in values_in(part)}
    if isinstance(found, (list, tuple)):
        return {value for item in found for value in values_in(item)}
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        return {float(found)}
    return {float(number) for number in re.findall(r"(?<![\w.])\d+\.?\d*(?![\w.])", str(found))}


def test_every_number_comes_from_config_metrics_or_recipe(metrics):
    card = ModelCard(render(metrics, recipe=RECIPE | {"seed": 4711}))
    text = re.sub(r"```.*?```", "", card.text, flags=re.DOTALL)  # code and BibTeX
    text = text.replace("Version 2.0", "").replace("CC BY 4.0", "")  # names of licences
    text = text.replace("F1 at 0.5", "")  # the name of a metric
    text = text.partition("Where the items of TRIPOD+AI are")[0]  # numbers of items
    for told in vars(DATASETS["ptb-xl"]).values():  # of the dataset, by its publishers
        for sentence in [told] if isinstance(told, str) else told:
            text = text.replace(sentence, "")
    text = re.sub(r"(?<=\d),(?=\d)", "", text)
    known = values_in([CONFIG, metrics, RECIPE, 4711])
    known |= {round(value, 3) for value in known} | {100 * metrics["intervals"]["confidence"]}
    known |= {len(metrics["classes"])}
    known |= {len(LEADS), CONFIG["num_samples"] / CONFIG["sampling_rate"]}
    numbers = re.findall(r"(?<![\w.:+-])\d+(?:\.\d+)?(?![\w:.]*[\w:])", text)
    assert len(numbers) > 50
    assert {number for number in numbers if float(number) not in known} == set()


def test_a_changed_number_changes_the_card(metrics):
    before = render(metrics)
    metrics["test"]["per_class"]["MI"]["sensitivity"] = 0.555
    after = render(metrics)
    assert "0.555" not in before
    assert "0.555" in after


def test_header_and_model_index_round_trip(metrics):
    data = ModelCard(render(metrics)).data
    assert data.license == "apache-2.0"
    assert data.library_name == "transformers"
    assert {"ecg", "electrocardiogram", "self-supervised-learning", "simclr"} <= set(data.tags)
    assert data.datasets == ["ptb-xl-1.0.3"]
    assert data.pipeline_tag is None
    assert data.model_name == "ecg-simclr"
    found = {result.metric_type: result for result in data.eval_results}
    assert {kind: result.metric_value for kind, result in found.items()} == {
        "roc_auc": 0.936, "average_precision": 0.871, "f1": 0.781, "brier_score": 0.131,
    }  # fmt: skip
    assert found["roc_auc"].dataset_name == "PTB-XL 1.0.3"
    assert found["roc_auc"].dataset_split == "test"
    assert found["roc_auc"].dataset_args["split"] == "folds 1-8 / 9 / 10"
    assert found["roc_auc"].metric_args == {
        "average": "macro", "interval": [0.925, 0.946], "confidence": 0.95,
    }  # fmt: skip
    assert found["f1"].metric_args["thresholds"] == {"MI": 0.287654, "NORM": 0.412346}


def test_the_index_tells_label_set_and_version_of_the_data(metrics):
    metrics["run"]["dataset"] |= {"label_set": "superdiagnostic", "database_sha256": "abcd"}
    (found, *_) = ModelCard(render(metrics)).data.eval_results
    assert (found.dataset_config, found.dataset_revision) == ("superdiagnostic", "abcd")


def test_tables_hold_values_with_their_intervals(metrics):
    card = render(metrics)
    assert "| AUROC | 0.936 | [0.925, 0.946] |" in card
    norm = "| NORM | 463 | 0.412 | 0.951 [0.940, 0.962] | 0.931 [0.910, 0.950] | 0.841 [0.820, 0.860] | "
    assert f"{norm}0.733 [0.690, 0.780] | 0.877 |" in card
    assert card.index("| NORM |") < card.index("| MI |")  # the order of the model, not of the alphabet
    assert (
        "Measured on 1,079 test records of 955 patients of PTB-XL 1.0.3; split: folds 1-8 / 9 / 10." in card
    )
    assert "fitted on 2,146 validation records" in card
    assert "1,000 draws of patients" in card
    assert "| sex: female | 512 | 0.929 [0.911, 0.944] | MI |" in card
    assert "| sex: male | 5 | — | NORM, MI |" in card
    assert "Macro AUROC **0.936 [0.925, 0.946]** on 1,079 test recordings of 955 patients" in card
    assert "Measured on 2026-11-20T07:00:00+00:00 with ssl_ecg_hf 0.1.0, revision `abc123`.\n" in card


def test_what_could_not_be_measured_is_said(metrics):
    mi = metrics["test"]["per_class"]["MI"]
    mi.update({"auroc": None, "auprc": None, "f1": None, "sensitivity": None})
    for key in ("auroc", "auprc", "f1", "sensitivity"):
        metrics["intervals"][key]["per_class"]["MI"] = interval(None, None, None)
    metrics["test"]["undefined"] = metrics["thresholds"]["not_chosen"] = ["MI"]
    card = render(metrics)
    assert "| MI | 271 | 0.288 | — | — | — | — | 0.877 | 0.043 |" in card
    assert "All test records have the same label for MI" in card
    assert "No threshold could be chosen on the validation records for MI" in card
    metrics["test"]["macro"] = dict.fromkeys(metrics["test"]["macro"])
    assert ModelCard(render(metrics)).data.eval_results is None


def test_without_metrics_the_card_says_so_and_has_no_results():
    card = render(None)
    assert "Not evaluated: there are no measurements of this checkpoint." in card
    assert "AUROC" not in card
    assert "model-index" not in card
    assert ModelCard(card).data.eval_results is None


def test_simulated_data_are_named_in_the_first_lines_and_in_the_index(metrics):
    metrics["run"]["dataset"] = {"name": "simulator", "simulated": True}
    card = ModelCard(render(metrics, recipe={"dataset": {"name": "simulator", "simulated": True}}))
    first = "\n".join(card.text.strip().splitlines()[:5])
    assert "**Simulated data.**" in first
    assert "trained on computer-generated ECGs" in first
    assert "Every number on this card was measured on computer-generated ECGs." in first
    assert {result.dataset_name for result in card.data.eval_results} == {"simulator (simulated)"}
    assert card.data.datasets is None
    assert "PTB-XL" not in str(card)


def test_real_data_carry_licence_citation_and_limits(metrics):
    card = render(metrics)
    assert "Simulated" not in card
    assert "Data of PTB-XL 1.0.3: CC BY 4.0, https://physionet.org/content/ptb-xl/." in card
    assert OBJECTIVES["simclr"][0] in card
    assert OBJECTIVES["byol"][0] not in card
    told = vars(DATASETS["ptb-xl"])
    for entry in [*told["bibtex"], *told["limits"], *told["label_limits"], told["outcome"], told["ethics"]]:
        assert card.count(entry) == 1
    assert "**Not a medical device.**" in card


def test_objective_is_found_in_the_class_name_too():
    card = render(None, config={"architectures": ["SslEcgForBYOL"]}, recipe=None, kind="pretraining")
    assert OBJECTIVES["byol"][0] in card
    assert "Self-supervised objective: byol." in card
    assert "The arguments of the training run are not recorded." in card


@pytest.mark.parametrize(
    ("class_name", "objective"), [("SslEcgForVICReg", "vicreg"), ("SslEcgForBarlowTwins", "barlow_twins")]
)
def test_the_class_of_each_objective_leads_to_its_citation(class_name, objective):
    card = render(None, config={"architectures": [class_name]}, recipe=None, kind="pretraining")
    assert [name for name, entries in OBJECTIVES.items() if entries[0] in card] == [objective]


def test_recipe_is_printed_flat_without_tokens_and_folders(metrics):
    card = render(metrics)
    assert "| `pretraining.learning_rate` | `0.00025` |" in card
    assert "| `pretraining.output_dir` | `7` |" in card
    assert "somebody" not in card
    assert "hf_secret" not in card
    assert "Trained on PTB-XL 1.0.3; split: folds 1-8." in card


def test_a_chain_of_runs_names_all_its_data_and_its_software():
    software = {"date": "2026-11-20", "ssl_ecg_hf": "0.1.0", "git_revision": "abc", "git_modified": True}
    parent = {"stage": "pretrain", "objective": "byol", "parent": None, "software": software,
              "dataset": {"name": "simulated ECGs", "simulated": True}}  # fmt: skip
    recipe = {"stage": "finetune", "parent": parent, "software": software,
              "dataset": {"name": "PTB-XL", "public": "ptb-xl", "simulated": False}}  # fmt: skip
    card = render(None, recipe=recipe)
    assert "Trained on PTB-XL.\n" in card
    assert "It started from a checkpoint that was trained on simulated ECGs (**simulated**)." in card
    assert "**Simulated data.** This checkpoint was trained on computer-generated ECGs." in card
    assert "Trained on 2026-11-20 with ssl_ecg_hf 0.1.0, revision `abc` with local changes." in card
    assert "| `parent.objective` | `byol` |" in card
    assert "`software" not in card
    assert OBJECTIVES["byol"][0] in card
    assert DATASETS["ptb-xl"].bibtex[0] in card


def snippets(card):
    return re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)


@pytest.mark.parametrize("kind", ["classifier", "pretraining", "encoder"])
def test_quick_start_is_one_program_that_names_the_repository_once(kind):
    (code,) = snippets(render(None, kind=kind))
    compile(code, "README.md", "exec")
    assert code.count("owner/ecg-simclr") == 1
    assert 'repo = "owner/ecg-simclr"\n' in code
    assert ("pooler_output" in code) == (kind != "classifier")
    assert ('pipeline("ecg-classification", model=repo' in code) == (kind == "classifier")


def test_quick_start_follows_the_config():
    config = {"leads": ["II", "V5"], "sampling_rate": 250.0, "problem_type": "single_label_classification"}
    (code,) = snippets(render(None, config=config | {"custom_pipelines": None}))
    compile(code, "README.md", "exec")
    assert "\"leads\": ['II', 'V5']" in code
    assert '"sampling_rate": 250,' in code
    assert '["logits"].softmax(dim=-1)' in code
    assert "pipeline" not in code


def test_input_table_states_rate_unit_leads_and_length():
    card = render(None, config={"sampling_rate": 500.0, "num_samples": 5000, "normalization": "zscore"})
    assert "| Sampling rate | 500 Hz; others are resampled |" in card
    assert "| Window | 5000 samples (10 s); of a longer recording the pipeline averages" in card
    assert "| Unit | mV; µV and V are converted |" in card
    assert "| Leads | I, II, III, aVR, aVL, aVF, V1, V2, V3, V4, V5, V6; any order, matched by name |" in card
    assert "| Normalisation, inside the model | zscore |" in card


def test_metrics_of_another_checkpoint_are_refused(metrics):
    with pytest.raises(ValueError, match="expected the same in the same order"):
        render(metrics, config={"id2label": {"0": "MI", "1": "NORM"}})
    with pytest.raises(ValueError, match="write the evaluation's thresholds"):
        render(metrics, config={"thresholds": [0.5, 0.5]})
    metrics["thresholds"]["values"]["NORM"] = 0.4123456  # written in full, unlike the checkpoint's
    with pytest.raises(ValueError, match="write the evaluation's thresholds"):
        render(metrics)
    with pytest.raises(ValueError, match="schema 0; expected 1"):
        render(metrics | {"schema": 0})


def test_metrics_of_an_encoder_must_say_how_it_was_evaluated(metrics):
    with pytest.raises(ValueError, match="linear probe on the frozen encoder"):
        render(metrics, kind="encoder")
    metrics["run"]["protocol"] = "linear probe on the frozen encoder"
    assert "Protocol: linear probe on the frozen encoder." in render(metrics, kind="encoder")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "decoder"}, "kind 'decoder'"),
        ({"repo_id": 'x"; import os; "'}, "is not valid"),
        ({"repo_id": "no-owner"}, "repo_id 'no-owner' is not valid; expected owner/name"),
        ({"recipe": {"dataset": "PTB-XL"}}, "must say what its model was trained on"),
    ],
)
def test_errors(changes, message):
    with pytest.raises(ValueError, match=message):
        render(None, **changes)


def test_rendering_changes_nothing_it_was_given(metrics):
    before = copy.deepcopy((CONFIG, metrics, RECIPE))
    assert render(metrics) == render(json.loads(json.dumps(metrics)))
    assert (CONFIG, metrics, RECIPE) == before


def stage(name, *, parent=None, labels=None, data="PTB-XL", **arguments):
    dataset = {
        "name": data,
        **({"public": "ptb-xl"} if data == "PTB-XL" else {}),
        "simulated": False,
        "records": {"train": 17418, "validation": 2183, "test": 2198},
    }
    recipe = {"stage": name, "arguments": arguments, "dataset": dataset, "parent": parent,
              "batch": {"recordings": 64, "processes": 2}}  # fmt: skip
    return recipe | ({} if labels is None else {"labels": labels})


def test_classes_are_explained_and_counted(metrics):
    labels = {"fraction": 0.1, "recordings": 1708, "per_class": {"NORM": 755, "MI": 437}}
    metrics["validation"] = {"per_class": {"NORM": {"support": 955}, "MI": {"support": 540}}}
    card = render(metrics, recipe=stage("finetune", labels=labels))
    assert "| MI | myocardial infarction | 0.288 | 437 | 540 | 271 |" in card
    assert "NORM (normal ECG), MI (myocardial infarction)" in card
    del metrics["class_meanings"]  # a file of before
    assert "| MI | 0.288 | 437 | 540 | 271 |" in render(metrics, recipe=stage("finetune", labels=labels))
    assert "| MI | an infarction |" in render(metrics, class_meanings={"MI": "an infarction"})


def test_many_classes_are_folded():
    names = {str(index): f"C{index}" for index in range(20)}
    card = render(None, config={"id2label": names, "thresholds": None})
    assert "<summary>All 20 classes</summary>" in card
    assert "for each of 20 classes. " in card


def test_participants_say_what_of_each_split_was_used(metrics):
    metrics["run"]["dataset"]["records"] = {"train": 17418, "validation": 2183, "test": 1118}
    labels = {"fraction": 0.1, "recordings": 1708, "per_class": {"NORM": 755, "MI": 437}}
    recipe = stage("finetune", labels=labels, parent=stage("pretrain", objective="byol"))
    card = render(metrics, recipe=recipe)
    assert "| train | pretraining | 17,418 | 17,418 | — |" in card
    assert "| train | fine-tuning | 17,418 | 1,708 | — |" in card
    choices = "choosing the best epoch, thresholds and temperature"
    assert f"| validation | {choices} | 2,183 | 2,146 | 1,887 |" in card
    assert "| test | measuring | 1,118 | 1,079 | 955 |" in card


@pytest.mark.parametrize(
    ("recipe", "chosen"),
    [
        (stage("probe", parent=stage("pretrain")), "the penalty of the probe"),
        (stage("finetune"), "the best epoch"),  # from scratch
        (stage("finetune", probe_first=True), "the penalty of the probe and the best epoch"),
        (stage("finetune", parent=stage("finetune")), "the best epoch"),
    ],
)
def test_the_card_says_what_validation_chose_in_training(metrics, recipe, chosen):
    card = render(metrics, recipe=recipe)
    assert f"In training, validation chose {chosen}, too." in card
    assert f"| validation | choosing {chosen.replace(' and ', ', ')}, thresholds and temperature |" in card


def test_each_run_says_what_validation_chose(metrics):
    card = render(metrics, recipe=stage("probe", parent=stage("pretrain")))
    assert "| Chosen on validation | — | the penalty of the probe |" in card
    alone = render(None, recipe=stage("pretrain"), kind="pretraining")
    assert "Chosen on validation" not in alone
    assert "validation chose" not in render(metrics)  # of this recipe no stage is known


def test_training_shows_what_matters_of_each_run_and_folds_the_rest(metrics):
    labels = {"fraction": 0.1, "recordings": 1708, "per_class": {"NORM": 755, "MI": 437}}
    parent = stage("pretrain", objective="byol", bf16=True, num_train_epochs=30.0, augmentations="3kg")
    recipe = stage("finetune", labels=labels, parent=parent, learning_rate=0.001, patience=8,
                   encoder_learning_rate=0.0003, classification_loss="focal", logging_steps=20)  # fmt: skip
    card = render(metrics, recipe=recipe)
    before, folded = card.split("<details><summary>Every recorded argument", 1)
    assert "|  | Pretraining | Fine-tuning |" in before
    assert "| Labels | none | 1,708 labelled recordings (10 %) |" in before
    assert "| Epochs | 30 | default at most, fewer after 8 without gain on validation |" in before
    assert "| Batch | 64 recordings on 2 processes | 64 recordings on 2 processes |" in before
    assert "| Learning rate | default | 0.001, of the encoder 0.0003 |" in before
    assert "| Augmentations | 3kg | none |" in before
    assert "| Class imbalance | — | loss `focal` |" in before
    assert "| Precision | bfloat16 | float32 |" in before
    assert "logging_steps" not in before
    assert "| `arguments.logging_steps` | `20` |" in folded
    for key in ("gopal2021threekg", "lin2017focal", "grill2020byol"):
        assert key in folded


def test_the_optimiser_of_a_probe_is_not_shown(metrics):
    labels = {"fraction": 1.0, "recordings": 17000, "per_class": {"NORM": 7550, "MI": 4370}}
    card = render(metrics, recipe=stage("probe", labels=labels, bf16=True, learning_rate=0.001))
    assert "|  | Linear probe |" in card
    assert "| Learning rate |" not in card


def test_the_model_is_described_and_its_encoder_cited():
    model = {"encoder": "Residual blocks", "pooling": "The mean", "head": "One layer",
             "parameters": 8740000, "encoder_parameters": 8737408, "embedding_size": 512}  # fmt: skip
    card = render(None, config={"encoder_type": "resnet1d", "encoder_options": {"width": 8}}, model=model)
    assert "| Encoder | `resnet1d`: Residual blocks. Here with other options: `{'width': 8}` |" in card
    assert "| Parameters | 8,740,000, of which 8,737,408 in the encoder |" in card
    assert ENCODERS["resnet1d"][0] in card
    assert TRIPOD_AI not in card  # nothing was measured


def test_a_checkpoint_without_labels_says_nothing_of_labels():
    recipe = stage("pretrain", objective="simclr")
    card = render(None, config={"architectures": ["SslEcgForSimCLR"]}, recipe=recipe, kind="pretraining")
    assert DATASETS["ptb-xl"].source in card
    assert "### Outcome" not in card
    assert DATASETS["ptb-xl"].label_limits[0] not in card
    assert "It was not evaluated at all." in card
    assert "pipeline" not in card


def test_nothing_is_claimed_of_data_that_are_not_known(metrics):
    metrics["run"]["dataset"] = {"name": "our clinic", "simulated": False}
    card = render(metrics, recipe=stage("finetune", data="our clinic", parent=stage("pretrain")))
    assert "Nothing is known here of how these recordings were chosen, made and labelled" in card
    assert "How the labels of our clinic came about is not known here." in card
    assert "The licence of our clinic is not known here." in card
    assert DATASETS["ptb-xl"].source in card  # of the pretraining
    assert DATASETS["ptb-xl"].outcome not in card  # whose labels were not used
    assert DATASETS["ptb-xl"].label_limits[0] not in card


def test_pictures_are_shown_where_they_are(metrics):
    example = Example(
        title="Simulated normal ECG", simulated=True, probabilities={"NORM": 0.9864, "MI": 0.003}
    )
    card = render(metrics, example=example, pictures=("example_ecg.png", "roc.png", "precision_recall.png"))
    assert "![Simulated normal ECG on ECG paper](pictures/example_ecg.png)" in card
    assert "*Simulated normal ECG, with the highest probabilities" in card
    assert "It was computed;" in card
    assert "up to rounding: NORM 0.986, MI 0.003" in card
    assert (
        "(pictures/roc.png) | ![Precision-recall curve of each class](pictures/precision_recall.png)" in card
    )
    assert "reliability.png" not in card
    assert "pictures/" not in render(metrics)


def test_the_extractor_says_what_it_refuses(metrics):
    preprocessing = {"min_amplitude_mv": 0.02, "max_amplitude_mv": 20.0, "missing_leads": "mask",
                     "nan_policy": "raise"}  # fmt: skip
    card = render(metrics, preprocessing=preprocessing)
    assert "| Amplitude | 0.02 to 20 mV; anything else is refused as a wrong unit |" in card
    assert "| Missing samples (NaN) | refused |" in card
    assert "Missing leads" not in render(metrics)


def robustness_of(metrics):
    auroc = {name: values["auroc"] for name, values in metrics["test"]["per_class"].items()}
    clean = {"name": "clean", "group": "clean", "records": 1079, "macro_auroc": 0.936, "auroc": auroc,
             "difference": None}  # fmt: skip
    return {"conditions": [clean, *(
        clean | {"name": f"noise, {db} dB", "group": "noise", "macro_auroc": 0.936 - loss,
                 "difference": interval(-loss, -loss - 0.01, -loss + 0.01)}
        for db, loss in ((24, 0.0004), (0, 0.1))
    )]}  # fmt: skip


def test_poor_recordings_are_summed_up_by_their_worst(metrics):
    card = render(metrics, robustness=robustness_of(metrics))
    before, folded = card.split("<summary>Every condition</summary>")
    assert "| noise, 0 dB | 0.836 | -0.100 [-0.110, -0.090] |" in before
    assert "24 dB" not in before
    assert "| noise, 24 dB | 0.936 | 0.000 [-0.010, 0.010] |" in folded
    metrics["test"]["per_class"]["MI"]["auroc"] = 0.922
    with pytest.raises(ValueError, match=r"robustness\.json is not of the evaluation"):
        render(metrics, robustness=robustness_of(metrics) | {"conditions": [
            entry | {"auroc": {"NORM": 0.951, "MI": 0.921}}
            for entry in robustness_of(metrics)["conditions"]
        ]})  # fmt: skip


def test_conditions_without_a_macro_auroc_are_no_worst_ones(metrics):
    robustness = robustness_of(metrics)
    undefined = {"macro_auroc": None, "difference": interval(None, None, None)}
    robustness["conditions"].append(robustness["conditions"][2] | undefined | {"name": "hum"})
    robustness["conditions"].append(robustness["conditions"][2] | undefined | {"name": "more hum"})
    before, folded = render(metrics, robustness=robustness).split("<summary>Every condition</summary>")
    assert "| noise, 0 dB | 0.836 |" in before
    assert "hum" not in before
    assert "| more hum | — | — |" in folded
    robustness["conditions"] = [robustness["conditions"][0], *robustness["conditions"][3:]]
    card = render(metrics, robustness=robustness)
    assert "No macro AUROC is defined there" in card
    assert "the condition with the largest loss" not in card


def test_label_efficiency_names_the_runs_own_row(metrics):
    rows = [
        {"method": method, "label_fraction": fraction,
         "test_auroc": {"mean": 0.8, "low": low, "high": 0.9, "seeds": seeds}}
        for method, low, seeds in (("SimCLR", 0.7, 3), ("scratch", None, 1))
        for fraction in (1.0, 0.1)
    ]  # fmt: skip
    card = render(metrics, experiments={"rows": rows, "unfinished": 0}, method="SimCLR")
    assert "This checkpoint is a run of “SimCLR” in the table of experiments below." in card
    assert "| Test macro AUROC by share of labels | 10 % | 100 % |" in card
    assert "| SimCLR | 0.800 [0.700, 0.900] (3 seeds) | 0.800 [0.700, 0.900] (3 seeds) |" in card
    assert "Numbers without an interval are of one or two seeds" in card
    rows[0]["test_auroc"]["seeds"] = 2
    assert "| 0.800 (2 seeds) |" in render(metrics, experiments={"rows": rows}, method="SimCLR")


def test_the_items_of_the_guideline_are_found_in_sections_that_exist(metrics):
    card = render(metrics, robustness=robustness_of(metrics))
    table = card.split("Where the items of TRIPOD+AI are</summary>")[1]
    items = [int(number) for number in re.findall(r"(?:^\| |, )(\d+) ", table, flags=re.MULTILINE)]
    assert sorted(items) == sorted([*range(1, 28)])
    headings = set(re.findall(r"^#+ (.*)$", card, flags=re.MULTILINE))
    places = {place.strip() for row in re.findall(r"\| ([^|]*) \|$", table, flags=re.MULTILINE)[2:]
              for place in re.sub(r"\(.*?\)", "", row).split(",")}  # fmt: skip
    assert places - headings == {"above Intended use", "config.json", "none"}
