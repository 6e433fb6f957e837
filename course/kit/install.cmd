@echo off
rem Installs the course into the folder redundancy-course of your user folder. No network is needed.
setlocal
cd /d "%~dp0"
set "place=%USERPROFILE%\redundancy-course"
py -3.12 -m venv "%place%\python" || goto nopython
"%place%\python\Scripts\python" -m pip install --quiet --disable-pip-version-check --no-index --find-links wheels -r requirements.txt || goto failed
if not exist "%place%\student" xcopy student "%place%\student" /e /i /q || goto failed
echo Installed. Now start.cmd opens the notebooks, in %place%\student.
pause
exit /b 0
:nopython
echo Python 3.12 is needed and was not found. Install it from python.org, then run this again.
pause
exit /b 1
:failed
echo Something failed: see the lines above.
pause
exit /b 1
