"""Each way the input of each command can be wrong: one table, from which docs/errors.md is made."""

import dataclasses
import json
import shutil

from bad_input_case import (
    DATA_CASES,
    G_CASES,
    N_CASES,
    NETS,
    OF_RUN,
    OUTPUT_CASES,
    PAIRS,
    WORKDIR_CASES,
    Case,
    copied,
    of_training,
    truncate,
    written,
)

# What explain wrote for another image of the same name.
EXPLAINED = {"image": "0.jpg", "sha256": "", "shares": []}
EXPLAINED |= dict.fromkeys(("sparseness", "fidelity_rmse", "mask_mean", "depth_kind"))
CASES = {
    "train_mask": [
        *of_training("train_mask"),
        *N_CASES,
        *G_CASES,
        Case(
            "the teacher cache is a file",
            "--teacher_cache=file",
            "file: cannot be written (Not a directory)",
        ),
        Case(
            "a teacher cache and several replicas",
            "--teacher_cache=cache --strategy=mirrored",
            "--teacher_cache=cache: needs --strategy=single",
        ),
        Case("an unknown G", "--mask_net=unet", "--mask_net=unet"),
        Case("an evaluator that is none", "--evaluator=bad.keras", "--evaluator=bad.keras: cannot"),
        Case("the images are none", "--dataset=folder --data_dir=broken", "broken/0.jpg"),
        Case("the folder holds no images", "--dataset=folder --data_dir=empty", "empty"),
        Case(
            "a flag of another data set",
            "--dataset=samples --data_dir=nowhere",
            "--dataset=samples takes none",
        ),
        Case(
            "a pattern that the data set does not take",
            "--image_glob=*.jpg",
            "--image_glob=*.jpg: --dataset=nyu takes none",
        ),
        Case(
            "a folder that is no KITTI",
            "--dataset=kitti --data_dir=images",
            "expected train/DRIVE_sync/",
        ),
        Case(
            "a folder that is no PandaSet",
            "--dataset=pandaset --data_dir=images",
            "expected CAMERA/NN.rgb.jpg",
        ),
        Case(
            "pairs without a pattern of depth",
            "--dataset=pairs --data_dir=broken --image_glob=*.jpg --depth_scale=1",
            "--depth_glob: --dataset=pairs needs it",
        ),
        Case("pairs whose unit is 0", f"{PAIRS} --depth_scale=0", "depth_scale=0: expected"),
        Case("pairs whose unit is NaN", f"{PAIRS} --depth_scale=nan", "--depth_scale=nan"),
        Case(
            "images without depth",
            f"{PAIRS} --depth_scale=1",
            "3 of 3 files have no partner of --depth_glob=*.txt",
        ),
        Case(
            "a share above 1", "--keep=2", "--keep=2: expected a share from 0.01 to 0.99, such as"
        ),
        Case("a range from its greatest share", "--keep=0.9:0.02", "--keep=0.9:0.02: expected a"),
        Case("a range of words", "--keep=few:many", "--keep=few:many: expected a share"),
        Case(
            "lambda for a ranking",
            "--sparsity_weight=1",
            "--sparsity_weight=1.0: --recipe=ranking takes none; it belongs to --recipe=paper",
        ),
        Case(
            "a share for the published objective",
            "--recipe=paper --keep=0.3",
            "--keep=0.3: --recipe=paper takes none; it belongs to --recipe=ranking",
        ),
        Case("an unknown recipe", "--recipe=best", "--recipe=best"),
        Case("an unknown relaxation", "--recipe=paper --relaxation=hard", "--relaxation=hard"),
        Case(
            "the embedded frames twice",
            "--dataset=samples --data_dir= --add_samples",
            "--add_samples: --dataset=samples has these frames already",
        ),
    ],
    "train_depth": [
        *of_training("train_depth"),
        Case("a run of train_mask is in the work folder", "", "a run of", copied("train_mask")),
        Case(
            "a data set without depth",
            "--dataset=folder --data_dir=images",
            "--dataset=folder: holds no depth",
        ),
        Case("an unknown N", "--depth_net=resnet", "resnet"),
        Case("an unknown term of the loss", "--loss=huber", "some of l1,l2,depth,gradient,normal"),
        Case("a zoom below 1", "--max_zoom=0.5", "--max_zoom=0.5"),
        Case("encoder weights are not there", "--encoder_weights=nowhere.h5", "nowhere.h5"),
        Case("the weights are none", "--depth_weights=bad.keras", "bad.keras"),
    ],
    "evaluate": [
        *DATA_CASES,
        *N_CASES,
        *G_CASES,
        *OUTPUT_CASES,
        Case("a crop of images of another size", "--crop=eigen", "--crop=eigen: expected"),
        Case("a threshold that is NaN", "--threshold=nan", "--threshold=nan"),
        Case(
            "another N than G was trained for",
            f"{OF_RUN} --depth_net=compact --depth_weights=default",
            "runs/mask/mask_net.keras was trained with tiny",
        ),
        Case("a user that is not there", "--output_dir=~no_such_user/a", "begins with no known"),
        Case(
            "results among photographs", "--output_dir=images", "holds images that no command wrote"
        ),
    ],
    "compare_masks": [
        *DATA_CASES[1:6:2],
        *N_CASES[:2],
        *G_CASES,
        *OUTPUT_CASES[:3],
        Case("more names than masks", "--mask_names=a,b", "--mask_names: expected 1, one a mask"),
        Case("a control's name", "--mask_names=sobel", "--mask_names: expected a name of its own"),
        Case("more kinds than masks", "--mask_nets=tiny,tiny", "--mask_nets: expected 1"),
        Case("saved masks are not there", "--saved_masks=none.npz", "--saved_masks: expected"),
        Case("saved masks are cut short", "--saved_masks=cut.npz", "--saved_masks: expected"),
        Case("maps are not there", "--maps=images", "--maps: expected an array of"),
        Case("no images", "--max_images=0", "--max_images=0: needs at least one image"),
    ],
    "audit_masks": [
        *DATA_CASES[1:6:2],
        *N_CASES[:2],
        *OUTPUT_CASES[1:3],
        Case("no masks", "--mask_weights=", "--mask_weights: needs the weights"),
        Case("an unknown test", "--tests=taste", "some of swap,"),
        Case(
            "a test without its network",
            "--tests=evaluator",
            "--tests=evaluator: needs --evaluator",
        ),
        Case(
            "an evaluator that is not there", "--evaluator=none.keras", "none.keras: no such file"
        ),
        Case(
            "an evaluator that is none",
            "--evaluator=bad.keras --tests=evaluator",
            "--evaluator=bad.keras: cannot be read as a network",
        ),
        Case("an unknown removal", "--removal=grey", "--removal=grey"),
        Case("no images", "--max_images=0", "--max_images=0"),
    ],
    "train_evaluator": [
        *DATA_CASES[1:6:2],
        *N_CASES[:2],
        *WORKDIR_CASES[:3],
        Case(
            "a removal that no training can do",
            "--removal=linear",
            "--removal=linear: solves a linear system for each image",
        ),
    ],
    "train_region": [
        *DATA_CASES[1:6:2],
        *N_CASES[:2],
        *WORKDIR_CASES[:3],
        Case("no such ranking", "--mask_weights=none.keras", "no such file: none.keras"),
        Case("an impossible share", "--keep=0:2", "--keep=0:2"),
    ],
    "draw_masks": [
        *DATA_CASES[1:6:2],
        *G_CASES,
        *OUTPUT_CASES,
        Case("no masks", "--mask_weights=", "--mask_weights: needs the files"),
        Case("more names than masks", "--mask_names=a,b", "--mask_names=a,b: expected one for"),
        Case("an unknown G", "--mask_nets=unet", "some of "),
        Case("no images to draw", "--frames=0", "--frames=0"),
    ],
    "optimize_mask": [
        *DATA_CASES[1:6:2],
        *N_CASES[:2],
        *G_CASES,
        *OUTPUT_CASES,
        Case(
            "the folder holds masks of other options",
            "--steps=2",
            "other options (--steps=2 here, 1 there)",
            lambda: shutil.copytree("runs/optimized", "out"),
        ),
        Case(
            "a saved batch is cut short: it is searched again",
            "",
            "out/batches/0000.npz: is damaged",
            lambda: (shutil.copytree("runs/optimized", "out"), truncate("out/batches/*.npz")),
            code=0,
        ),
        Case("an unknown objective", "--objective=both", "--objective=both"),
        Case("no restarts", "--restarts=0", "--restarts=0"),
        Case("a share above 1", "--keep=2", "--keep=2"),
    ],
    "sweep_sparsity": [
        *DATA_CASES[1:3],
        *WORKDIR_CASES[:4],
        Case("no list", "--sparsity_weights=", "--sparsity_weights="),
        Case("two lists", "--shares=0.3", "received both"),
        Case("no numbers", "--sparsity_weights=1,x", "expected numbers of at least 0"),
        Case("NaN in the list", "--sparsity_weights=nan", "--sparsity_weights=nan"),
        Case("shares above 1", "--shares=0.1,2", "expected numbers from 0.01 to 0.99"),
        Case("a value twice", "--sparsity_weights=1,1", "names a value twice"),
        Case("lambda and a list of lambdas", "--sparsity_weight=2", "--sparsity_weight=2.0: "),
        Case("a flag of a ranking", "--keep=0.5", "--keep=0.5: --recipe=paper takes none"),
        Case("the recipe of a ranking", "--recipe=ranking", "implies --recipe=paper"),
        Case("a run of train_mask is there", "", "holds a run of train_mask", copied("train_mask")),
    ],
    "explain": [
        Case("no images", "", "needs images or folders"),
        Case("the image is not there", "none.jpg", "none.jpg: no such file or folder"),
        Case("the file is no image", "broken/0.jpg", "1 of 1 images could not be explained"),
        Case("the folder holds no images", "empty", "empty: holds no images"),
        Case(
            "two models", "images --server=http://localhost:1", "--savedmodel, --server: give one"
        ),
        Case(
            "a model and a G", f"images {OF_RUN}", "--savedmodel, --mask_weights: give one of them"
        ),
        Case(
            "a name without a server",
            "images --savedmodel= --model=a",
            "--model=a: needs --server=",
        ),
        Case(
            "an N without a G for it",
            "images --savedmodel= --depth_net=hu_resnet50 --depth_weights=random",
            "needs a G that was trained for it",
        ),
        Case(
            "a server without a model",
            "images --savedmodel= --server=http://localhost:1",
            "--model: needs the name",
        ),
        Case(
            "an address without http",
            "images --savedmodel= --server=localhost:1 --model=a",
            "--server must be an address such as",
        ),
        Case(
            "nobody answers",
            "images --savedmodel= --server=http://localhost:1 --model=a",
            "http://localhost:1",
        ),
        Case("the model is none", "images --savedmodel=images", "expected the folder of one"),
        Case("a threshold above 1", "images --threshold=2", "--threshold=2: must be from 0 to 1"),
        Case("a share above 1", "images --keep=0.2,2", "expected numbers from 0.01 to 1 separated"),
        Case(
            "two images of one name",
            "images/0.jpg more/0.jpg",
            "images/0.jpg and more/0.jpg would both become out/0;",
        ),
        Case(
            "the folder holds answers of another threshold",
            "images/0.jpg",
            "holds explanations with other options",
            written("out/explained.json", '{"model": "tiny/1", "threshold": 0.5}'),
        ),
        Case(
            "the folder holds another image of this name",
            "images/0.jpg",
            "images/0.jpg: out/0 holds another image",
            written("out/0/result.json", json.dumps(EXPLAINED)),
        ),
        *(
            dataclasses.replace(case, arguments=f"images {case.arguments}".strip())
            for case in OUTPUT_CASES[1:]
        ),
    ],
    "explain_video": [
        Case("no clip", "", "needs one video file or folder of frames"),
        Case("two clips", "images more", "Received: 2 names"),
        Case("the clip is not there", "none.mp4", "none.mp4: no such file or folder"),
        Case("the file is no video", "file", "file: no video file that can be read"),
        Case("the folder holds no images", "empty", "empty: holds no images"),
        Case("a frame is no image", "broken", "cannot be read as an image"),
        Case("a share above 1", "images --keep=2", "--keep=2"),
        Case("the model is none", "images --savedmodel=images", "expected the folder of one"),
        Case(
            "the folder holds a film of another share",
            "images",
            "holds a film with other options",
            written("out/video.json", '{"keep": 0.3}'),
        ),
        *(
            dataclasses.replace(case, arguments=f"images {case.arguments}".strip())
            for case in OUTPUT_CASES
        ),
    ],
    "explain_region": [
        Case("no photograph", "--point=3,4", "needs one photograph, such as photo.jpg"),
        Case("two photographs", "images/0.jpg images/1.jpg --point=3,4", "Received: 2 names"),
        Case("the photograph is not there", "none.jpg --point=3,4", "none.jpg: cannot be read"),
        Case("the file is no image", "broken/0.jpg --point=3,4", "broken/0.jpg: cannot be read"),
        Case("no place", "images/0.jpg", "needs a place to ask about"),
        Case(
            "a point outside of the photograph",
            "images/0.jpg --point=900,4",
            "--point=900,4: 900,4 lies outside of the picture",
        ),
        Case(
            "a point that N does not see, as it crops",
            "images/0.jpg --point=2,30 --radius=0",
            "--point=2,30: lies outside of what N sees",
        ),
        Case("a point of one number", "images/0.jpg --point=5", "expected X,Y, such as 120,80"),
        Case("a box without pixels", "images/0.jpg --box=9,9,5,20", "--box=9,9,5,20: box must be"),
        Case("a polygon of two corners", "images/0.jpg --polygon=1,2,3,4", "expected X,Y,X,Y,X,Y"),
        Case(
            "a depth that no pixel has",
            "images/0.jpg --depth_range=500,600",
            "--depth_range=500,600: depth range 500, 600 holds no pixel",
        ),
        Case("a share above 1", "images/0.jpg --point=32,32 --keep=0.2,2", "from 0.001 to 0.99"),
        Case("an unknown N", "images/0.jpg --point=3,4 --depth_net=resnet", "--depth_net=resnet"),
        *(
            dataclasses.replace(
                case, arguments=f"images/0.jpg --point=32,32 {case.arguments}".strip()
            )
            for case in OUTPUT_CASES
        ),
    ],
    "export_savedmodel": [
        Case("no weights", "--mask_weights=", "--mask_weights: needs the weights"),
        *(dataclasses.replace(case, arguments=f"{NETS} {case.arguments}") for case in G_CASES),
        Case("a name that no URL can have", "--name=../x", "--name=../x: expected letters"),
        Case(
            "the version is there",
            "--savedmodel_dir=served --name=tiny --version=1",
            "served/tiny/1: this version exists",
        ),
        Case(
            "the data to measure on are not there",
            "--data_dir=nowhere --max_images=1",
            "(--max_images=0 exports without measuring)",
        ),
        Case(
            "another N than G was trained for",
            "--depth_net=hu_resnet50",
            "--depth_net=hu_resnet50: runs/mask/mask_net.keras was trained with tiny",
        ),
        Case(
            "config.json of the run is empty",
            "--mask_weights=w/mask_net.keras",
            "w/config.json: cannot be read",
            copied("train_mask", emptied="config.json"),
        ),
        Case(
            "the folder is a file", "--savedmodel_dir=file", "--savedmodel_dir=file: cannot be used"
        ),
        *OUTPUT_CASES[2:],
    ],
    "port_weights": [
        Case("two networks", "--depth_net=compact", "give the one network"),
        Case("no network", "--mask_net=", "--mask_net"),
        Case("no checkpoint", "--checkpoint=", "--checkpoint: needs the file"),
        Case("the checkpoint is not there", "--checkpoint=no.pth", "no such file: no.pth"),
        Case("the checkpoint is none", "--checkpoint=file", "expected a file of torch.save or"),
        Case("the checkpoint is cut short", "--checkpoint=cut.pth", "cut.pth"),
        Case("weights of another network", "", "made for another network than"),
        Case("an output of another kind", "--output=a.h5", "--output: expected a name that ends"),
        Case("the output lies below a file", "--output=file/a.keras", "--output=file: cannot be"),
        Case("the output folder is read-only", "", "Read-only file system", disk="ro"),
    ],
    "complete_depth": [
        *DATA_CASES[:4],
        Case("an image is cut short", "--data_dir=cut", "nyu2_train/2.jpg"),
        *OUTPUT_CASES,
        Case("the output lies in the data", "--output_dir=nyu/new", "lies in the data set"),
        Case(
            "depth completed in another way is there",
            "",
            "holds depth completed with other options",
            written("out/completion.json", '{"dataset": "nyu", "known_pixels": "keep"}'),
        ),
        Case(
            "the notes on what is there are damaged",
            "",
            "--output_dir=out: cannot be used",
            written("out/completion.json", "{"),
        ),
        Case(
            "a data set without depth",
            "--dataset=folder --data_dir=images",
            "--dataset=folder: holds no files of depth",
        ),
        Case("no workers", "--workers=0", "--workers=0"),
        Case("unknown treatment of pixels", "--known_pixels=clamp", "--known_pixels=clamp"),
        Case("unknown split", "--split=test", "--split=test"),
    ],
    "check": [
        Case("no output folder", "--output_dir=", "--output_dir: needs a folder for the report"),
        *DATA_CASES[1:3],
        Case("an unknown data set", "--dataset=sun", "--dataset=sun"),
        Case(
            "no image can be read",
            "--dataset=folder --data_dir=broken",
            "none of 2 train frames can be read",
        ),
        Case("an unknown N", "--depth_net=unet", "--depth_net=unet: expected one of"),
        Case("a flag of N without N", "--depth_kind=inverse", "needs --depth_net"),
    ],
    "share_page": [
        Case("a port that is none", "--port=70000", "--port=70000"),
        Case("a port in words", "--port=x", "--port=x"),
        Case("neither yes nor no", "--public=maybe", "--public=maybe"),
        Case("a size of one number", "--input_size=5", "expected H,W in pixels"),
        Case("a word without a flag", "photo.jpg", "flags are --name=value"),
    ],
    "serve": [
        Case("no model", "--model_base_path=", "give either --model_base_path or"),
        Case("a model and a file of models", "--model_config_file=x", "give either"),
        Case(
            "the file of models is none",
            "--model_base_path= --model_config_file=file",
            "is no ModelServerConfig",
        ),
        Case(
            "the file of models is not there",
            "--model_base_path= --model_config_file=nowhere",
            "nowhere",
        ),
        Case("a model without a name", "--model_name=", "--model_name: needs a name"),
        Case("a port that is none", "--port=70000", "port"),
        Case("an address that is none", "--host=256.1.2.3", "cannot listen on 256.1.2.3"),
        Case("no bytes for a body", "--max_body_bytes=0", "max_body_bytes"),
        Case("seconds that are NaN", "--max_header_seconds=nan", "max_header_seconds"),
        Case("a folder of versions without any", "--model_base_path=runs", "nothing can be served"),
        Case(
            "a version's folder",
            "--model_base_path=served/tiny/1",
            "is the folder of one version; give the one above",
        ),
        Case("a file for a folder", "--model_base_path=file", "is a file; give the folder"),
        Case("an address of a bucket", "--model_base_path=gs://b/masks", "is an address"),
        Case("monitoring settings are not there", "--monitoring_config_file=nowhere", "nowhere"),
    ],
    "demo": [
        Case("no epochs", "--epochs=0", "--epochs=0"),
        Case("an argument that is no flag", "stray", "unexpected argument 'stray'"),
        *WORKDIR_CASES[:4],
        Case("a run with other options is there", "", "with other options", copied("train_mask")),
    ],
}
