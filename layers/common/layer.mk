# What the layers' Makefiles share. A layer's folder and this one are side by side where it is built,
# in the repository as in sam's copy: ProjectRootDirectory in func.template.yaml.
COMMON := $(dir $(lastword $(MAKEFILE_LIST)))
PYTHON ?= python3
SITE = $(ARTIFACTS_DIR)/python
LIBS = $(SITE)/$(LIBS_FOLDER)

PIP = $(PYTHON) -m pip --quiet --disable-pip-version-check
HASHED = --no-deps --require-hashes
INSTALL_WHEELS = $(PIP) install $(HASHED) --only-binary :all: --no-compile --target "$(SITE)" \
  -r requirements.txt

# The same bytes from the same sources: no build ids, which hash the folder's name with the rest.
LINK = -Wl,--build-id=none -Wl,-z,relro,-z,now
export PYTHONHASHSEED = 0

# What is checked at the end, and what is left out: see there.
FINISH = $(PYTHON) "$(COMMON)finish.py" $(@:build-%=%) "$(SITE)" $(LIMIT_MB)
